"""`labctl capture`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from labctl import __version__
from labctl.cli.common import json_option, lab_option, load_lab, progress_shown
from labctl.cli.nodes import check_node
from labctl.cli.signals import ended_in_order
from labctl.cli.told import CaptureTold, tell
from labctl.core.errors import LabError, UsageError

if TYPE_CHECKING:
    from labctl.capture.record import Enough, Recorded
    from labctl.topology.lab import Lab

STDOUT = Path("-")


@click.command("capture")
@click.argument("nodes", nargs=-1, required=True, metavar="NODE...")
@click.option("--filter", "-f", "words", multiple=True, metavar="WORD",
              help="Only these packets: https, brewery, focus, s2s, http, media, relay, channel,"
              " turn, metrics; several may be given.  By default all, except labctl's own"
              " ssh.")  # fmt: skip
@click.option("--write", "-w", "output", type=click.Path(dir_okay=False, path_type=Path),
              metavar="FILE", help="A pcapng file, '-' for standard output; by default a new file"
              " in the lab's folder.")  # fmt: skip
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), metavar="N",
              help="End after N seconds.")  # fmt: skip
@click.option("--packets", type=click.IntRange(min=1), metavar="N",
              help="End after N packets.")  # fmt: skip
@click.option("--tls-keys", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Put the TLS secrets of FILE into the recording, as they come.")  # fmt: skip
@json_option
@lab_option
def capture_command(
    *,
    nodes: tuple[str, ...],
    words: tuple[str, ...],
    output: Path | None,
    seconds: float | None,
    packets: int | None,
    tls_keys: Path | None,
    as_json: bool,
    lab_name: str | None,
) -> None:
    """Record packets of nodes, for Wireshark.

    Packets of several nodes are put into one file in the order of their times; the name of the
    interface is the name of the node.  A packet between two of these nodes is there twice: as it
    was sent, and as it came.  Ctrl-C ends the recording.

    With '--tls-keys', Wireshark shows what is inside of the TLS connections whose secrets are in
    that file: those of a crowd, which 'labctl crowd --tls-keys' writes at the same time.

    \b
    labctl capture jms jvb1 --filter brewery --seconds 30
    labctl capture jms -f https -f s2s -w out.pcapng
    labctl capture jms visitors1 -f s2s -w - | wireshark -k -i -
    labctl capture jms -f https --tls-keys keys.log -w xmpp.pcapng
    """
    from labctl.capture.record import Enough
    from labctl.capture.words import parse_words, render_filter

    lab = load_lab(lab_name)
    names = tuple(dict.fromkeys(nodes))
    for name in names:
        check_node(lab, name)
    talks = parse_words(words)
    filters = {name: render_filter(lab.topology, lab.topology.node(name), talks) for name in names}
    path = output or _new_file(lab)
    found = _record(lab, filters, path, Enough(seconds, packets), keys=tls_keys)
    _tell(path, found, as_json=as_json and path != STDOUT)


def _new_file(lab: Lab) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return lab.folder.path / "captures" / f"{stamp}.pcapng"


def _record(
    lab: Lab, filters: dict[str, str], path: Path, enough: Enough, *, keys: Path | None
) -> Recorded:
    from labctl.capture.record import record
    from labctl.capture.sink import KeyLog, Sink
    from labctl.node.ssh import ensure_config

    ensure_config(lab)
    log = KeyLog(keys) if keys is not None else None
    with _opened(path) as file, progress_shown() as progress, ended_in_order():
        sink = Sink(file, list(filters), keys=log, application=f"labctl {__version__}")
        return record(lab, filters, sink, enough=enough, progress=progress)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file, which only this user may read: packets may hold what people say."""
    if path == STDOUT:
        if sys.stdout.isatty():
            raise UsageError(
                "A terminal cannot show packets.",
                hint="Add '| wireshark -k -i -', or name a file with '-w'.",
            )
        yield sys.stdout.buffer
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        file = path.open("wb")
    except OSError as error:
        raise LabError(f"'{path}' cannot be written: {error.strerror}.") from error
    with file:
        yield file


def _tell(path: Path, found: Recorded, *, as_json: bool) -> None:
    if as_json:
        tell(CaptureTold(str(path), found.packets, found.dropped))
        return
    lost = [f"{count} on '{node}'" for node, count in found.dropped.items() if count]
    more = f"; the kernel dropped {', '.join(lost)}" if lost else ""
    click.echo(f"{found.packets} packets{more}", err=True)
    if path != STDOUT:
        click.echo(path)
