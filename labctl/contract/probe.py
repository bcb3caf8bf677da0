"""Ask a node about the entries: one shell script, one answer per entry."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from labctl.contract.table import PARTICIPANTS, ContractEntry, EntryKind
from labctl.core.waiting import Patience
from labctl.drift.read import KEPT
from labctl.images.bakeinput import PLACEHOLDER_HOST
from labctl.images.packages import MAIN_PACKAGES
from labctl.node.reach import reach
from labctl.node.script import Command, ShellScript, sectioned
from labctl.topology.lab import Lab
from labctl.topology.model import Node, Topology
from labctl.topology.roles import BRIDGE, JICOFO

VERSIONS = "versions"
SIZE = "size "
MOST_LINES = 60
"""The most lines of a log that are returned for one entry: the first that match."""

LOGS = (JICOFO.error_log, BRIDGE.error_log)


def ask_node(
    lab: Lab,
    node: Node,
    *,
    entries: Iterable[ContractEntry],
    offsets: Mapping[str, int],
) -> dict[str, str]:
    """What the node answers, by entry; also `versions`, and `size <log>` in bytes.

    Logs are read from `offsets` on.  Errors: LabError if the node does not answer.
    """
    script = render_script(entries, lab, offsets=offsets)
    # Too long for an argument; the answer is compared entry by entry.
    shell = Command(("sh", "-s"))
    answer = reach(lab).run(node.name, shell, sudo=True, stdin=script.text, check=False)
    return dict(answer.sections.texts)


def render_script(
    entries: Iterable[ContractEntry], lab: Lab, *, offsets: Mapping[str, int]
) -> ShellScript:
    """The script for one node."""
    parts = [_part(VERSIONS, _versions())]
    parts += [_part(f"{SIZE}{log}", f"stat -c %s {log} 2>/dev/null || echo 0") for log in LOGS]
    for entry in entries:
        command = _command(entry, offsets=offsets, patience=lab.patience)
        if command:
            parts.append(_part(entry.id, with_names(command, lab.topology)))
    return sectioned("\n".join(parts) + "\n")


def with_names(text: str, topology: Topology) -> str:
    """The text with `{domain}`, `{packaged}` and `{image}` replaced by the lab's names."""
    names = {"domain": topology.domain, "packaged": KEPT, "image": PLACEHOLDER_HOST}
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _part(name: str, command: str) -> str:
    # A shell of its own without our standard input: no command can end the script or consume it.
    return f"section {shlex.quote(name)}\n( {command} ) </dev/null 2>&1"


def _versions() -> str:
    names = " ".join(MAIN_PACKAGES)
    return (
        f"dpkg-query -W -f '${{Package}} ${{Version}} ${{db:Status-Abbrev}}\\n' {names} 2>/dev/null"
    )


def _command(entry: ContractEntry, *, offsets: Mapping[str, int], patience: Patience) -> str:
    what = entry.what
    match entry.kind:
        case EntryKind.FILE:
            path = shlex.quote(what["path"])
            found = f"stat -c '%F|%U|%G|%a' {path}"
            if "contains" in what:
                found += f"; grep -c -E -e {shlex.quote(what['contains'])} {path}"
            return found
        case EntryKind.USER:
            name = shlex.quote(what["name"])
            return f"getent passwd {name} && id -gn {name}"
        case EntryKind.UNIT:
            asked = " ".join(f"-p {shlex.quote(key)}" for key in what["properties"])
            return f"systemctl show {asked} {shlex.quote(what['unit'])}"
        case EntryKind.REST:
            return shlex.join(_curl(what, patience))
        case EntryKind.LOG:
            return _grep(what["file"], what["message"], offsets=offsets)
        case EntryKind.XMPP:
            if what["seen_in"] == PARTICIPANTS:
                return ""
            return _grep(what["seen_in"], what["line"], offsets=offsets)
        case EntryKind.EXIT:
            return f'( {what["command"]} ); echo "exit $?"'
        case _:
            assert_never(entry.kind)


def _curl(what: Mapping[str, object], patience: Patience) -> Sequence[str]:
    url = f"http://127.0.0.1:{what['port']}{what['path']}"
    words = ["curl", "-s", "--max-time", str(patience.whole(5)), "-w", "\n%{http_code}"]
    words += ["-X", str(what["method"])] if "method" in what else []
    words += ["-H", f"Accept: {what['accept']}"] if "accept" in what else []
    if "body" in what:
        words += ["-H", "Content-Type: application/json", "-d", str(what["body"])]
    return [*words, url]


def _grep(file: str, pattern: str, *, offsets: Mapping[str, int]) -> str:
    begin = f"tail -c +{offsets.get(file, 0) + 1} {shlex.quote(file)}"
    return f"{begin} | grep -m {MOST_LINES} -E -e {shlex.quote(pattern)}"
