"""The class's page: snapshots that nginx on the JMS serves as files, at https://<domain>/lab/.

Students' browsers reach the JMS and never this machine, and there is nothing to write to: the files
go to the JMS over the ssh connection that is there already.  A script on the JMS takes them as they
come and removes all of them at its end, which comes when labctl ends, is killed, or says nothing
for a minute.  The files are on /run, so that no restart of the node brings them back.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self

from labctl.core.errors import LabError
from labctl.core.flow import Flow
from labctl.live.site import Body, Site
from labctl.node.flow import Opener, open_flow
from labctl.node.script import ShellScript
from labctl.render.services import CLASS_PAGE, SITES
from labctl.topology.lab import Lab

STATE, RECORDS, INDEX = "/api/state", "/api/records", "/"
PUBLISH_SECONDS = 2.0
RETRY_SECONDS = 3.0
"""Until a JMS that is away, or starts anew, is tried again."""
WRITE_SECONDS = 10.0
"""For one file to go into the connection."""
SILENT_SECONDS = 60
"""The script on the JMS ends if nothing comes for so long."""
START_SECONDS = 20.0
READY, PLACED = b"ready\n", b"placed\n"
"""What the script says once it takes files, and once all of the first have come."""
TAKEN, UNKNOWN = 75, 76
HEAD = 64
"""Bytes before each file: its path and size, filled up with spaces."""

# 'head -c' reads not a byte more than it is to, so that what follows is left for the next one.
SCRIPT = """
grep -qsF {folder} {sites}/* || exit {unknown}
mkdir -p {folder} && exec 9< {folder}
flock -n 9 || exit {taken}
clean() {{ rm -rf {folder}; }}
trap clean EXIT
trap 'exit 0' HUP INT TERM
rm -rf {folder}/* && mkdir -m 755 {folder}/lab {folder}/lab/api || exit 1
chmod 755 {folder}
printf 'ready\\n'
while head=$(timeout {silent} head -c {head}) && [ -n "$head" ]; do
  set -- $head
  head -c "$2" > {folder}/new
  [ "$(stat -c %s {folder}/new)" = "$2" ] || break
  chmod 644 {folder}/new
  mv {folder}/new "{folder}/lab$1" || break
  if [ -z "$placed" ] && [ "$1" = {state} ]; then placed=yes; printf 'placed\\n'; fi
done
"""


def render_script() -> ShellScript:
    """The script that keeps the page's files while it gets some."""
    return ShellScript(
        SCRIPT.format(
            folder=shlex.quote(CLASS_PAGE),
            sites=SITES,
            silent=SILENT_SECONDS,
            head=HEAD,
            state=STATE,
            taken=TAKEN,
            unknown=UNKNOWN,
        )
    )


def page_url(lab: Lab) -> str:
    """Where the class finds the page."""
    return f"https://{lab.topology.domain}/lab/"


class Publisher:
    """Keeps the class's page as new as the site while it is entered.

    The lab may be asked already (`labctl.live.source.prepare`).  A JMS that goes away gets all
    files again once it is back.
    """

    def __init__(
        self,
        lab: Lab,
        site: Site,
        *,
        interval: float = PUBLISH_SECONDS,
        opener: Opener = open_flow,
    ) -> None:
        self._lab, self._site, self._interval, self._opener = lab, site, interval, opener
        self._stop, self._shown = threading.Event(), threading.Event()
        self._wrong: LabError | None = None
        self._flow: Flow | None = None
        self._thread = threading.Thread(target=self._follow, name="class page", daemon=True)

    def __enter__(self) -> Self:
        """Errors: LabError if the page is not there in time, or cannot be."""
        self._thread.start()
        try:
            shown = self._shown.wait(self._lab.patience.scaled(START_SECONDS))
            if self._wrong is not None:
                raise self._wrong
            if not shown:
                raise LabError(
                    "The JMS does not take the class's page.",
                    hint="'labctl status' shows whether it answers.",
                )
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        """Wait for the thread, which ends the script on the JMS."""
        self._stop.set()
        self._thread.join(WRITE_SECONDS)
        if self._thread.is_alive() and self._flow is not None:
            # It writes nothing any more, and waits for a word of a node that hangs.
            self._flow.finish()

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                flow = self._opener(self._lab, self._lab.topology.jms.name, render_script())
            except LabError as error:
                return self._fail(error)
            self._flow = flow
            with suppress(LabError):
                # A node that has gone, or hangs, is tried again.
                self._send_all(flow)
            if wrong := _why(flow):
                return self._fail(wrong)
            self._stop.wait(RETRY_SECONDS)

    def _fail(self, error: LabError) -> None:
        self._wrong = error
        self._shown.set()

    def _send_all(self, flow: Flow) -> None:
        """Send everything, then what changes, until this is to end.  Errors: ProcessError."""
        if flow.read(len(READY)) != READY:
            return
        for path, body in self._first():
            _send(flow, path, body)
        self._send_found(flow, RECORDS)
        self._send_found(flow, STATE)
        if flow.read(len(PLACED)) != PLACED:
            return
        self._shown.set()
        sent = None
        while not self._stop.is_set():
            # The mark first: a file that changes meanwhile is sent again the next time.
            mark = self._site.records_mark()
            if mark != sent:
                self._send_found(flow, RECORDS)
                sent = mark
            self._send_found(flow, STATE)
            self._stop.wait(self._interval)

    def _first(self) -> Iterator[tuple[str, Body]]:
        """The files that stay."""
        for path, body in self._site.files.items():
            yield ("/index.html" if path == INDEX else path), body

    def _send_found(self, flow: Flow, path: str) -> None:
        try:
            body = self._site.find(path)
        except (LabError, OSError, ValueError):
            # A file of the lab that goes in this moment; the page says how old its state is.
            return
        if body is not None:
            _send(flow, path, body)


def _send(flow: Flow, path: str, body: Body) -> None:
    head = f"{path} {len(body.data)}".ljust(HEAD - 1) + "\n"
    flow.write(head.encode() + body.data, seconds=WRITE_SECONDS)


def _why(flow: Flow) -> LabError | None:
    """End the script; why it refused, None if it did not."""
    code, _ = flow.end()
    if code == TAKEN:
        return LabError(
            "Another 'labctl serve --class' shows this lab's page.",
            hint="End that one, or leave out '--class'.",
        )
    if code == UNKNOWN:
        return LabError(
            "The lab's nginx does not know the class's page.",
            hint="It was set up by an older labctl: 'labctl up' brings it up to date.",
        )
    return None
