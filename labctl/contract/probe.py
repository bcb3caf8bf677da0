"""Asking a node for what the entries are about: one shell script, one answer per entry."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

from labctl.bakeinput import PLACEHOLDER_HOST
from labctl.contract.table import PARTICIPANTS, Entry, Kind
from labctl.drift.read import KEPT
from labctl.model import Node, Topology
from labctl.packages import MAIN_PACKAGES
from labctl.ssh import run_on
from labctl.waiting import whole
from labctl.workdir import Workdir

MARK = "=== labctl-contract "
VERSIONS = "versions"
SIZE = "size "
MOST_LINES = 60
"""Lines of a log that an entry gets to see, at most: the first ones that fit."""

LOGS = ("/var/log/jitsi/jicofo.log", "/var/log/jitsi/jvb.log")


def ask_node(
    workdir: Workdir,
    topology: Topology,
    node: Node,
    *,
    entries: Iterable[Entry],
    offsets: Mapping[str, int],
) -> dict[str, str]:
    """What the node answers, by entry; also `versions`, and `size <log>` in bytes.

    Logs are read from `offsets` on.  Errors: LabError when the node does not answer.
    """
    script = render_script(entries, topology=topology, offsets=offsets)
    result = run_on(
        workdir, node.name, ["sh", "-s"], sudo=True, stdin=script, timeout=60, check=False
    )
    return parse_answers(result.output)


def render_script(
    entries: Iterable[Entry], *, topology: Topology, offsets: Mapping[str, int]
) -> str:
    """The script for one node."""
    parts = [_part(VERSIONS, _versions())]
    parts += [_part(f"{SIZE}{log}", f"stat -c %s {log} 2>/dev/null || echo 0") for log in LOGS]
    for entry in entries:
        command = _command(entry, offsets=offsets)
        if command:
            parts.append(_part(entry.id, with_names(command, topology)))
    return "\n".join(parts) + "\n"


def with_names(text: str, topology: Topology) -> str:
    """The text with the lab's names in the place of `{domain}`, `{packaged}` and `{image}`."""
    names = {"domain": topology.domain, "packaged": KEPT, "image": PLACEHOLDER_HOST}
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def parse_answers(output: str) -> dict[str, str]:
    """Answers by entry, from what the script printed."""
    answers = {}
    for part in f"\n{output}".split(f"\n{MARK}")[1:]:
        name, _, text = part.partition("\n")
        answers[name] = text
    return answers


def _part(name: str, command: str) -> str:
    # Its own shell, without our standard input: no command can end the script or eat it.
    return f"printf '\\n%s\\n' {shlex.quote(MARK + name)}\n( {command} ) </dev/null 2>&1"


def _versions() -> str:
    names = " ".join(MAIN_PACKAGES)
    return (
        f"dpkg-query -W -f '${{Package}} ${{Version}} ${{db:Status-Abbrev}}\\n' {names} 2>/dev/null"
    )


def _command(entry: Entry, *, offsets: Mapping[str, int]) -> str:
    what = entry.what
    match entry.kind:
        case Kind.FILE:
            path = shlex.quote(what["path"])
            found = f"stat -c '%F|%U|%G|%a' {path}"
            if "contains" in what:
                found += f"; grep -c -E -e {shlex.quote(what['contains'])} {path}"
            return found
        case Kind.USER:
            name = shlex.quote(what["name"])
            return f"getent passwd {name} && id -gn {name}"
        case Kind.UNIT:
            asked = " ".join(f"-p {shlex.quote(key)}" for key in what["properties"])
            return f"systemctl show {asked} {shlex.quote(what['unit'])}"
        case Kind.REST:
            return shlex.join(_curl(what))
        case Kind.LOG:
            return _grep(what["file"], what["message"], offsets=offsets)
        case Kind.XMPP:
            if what["seen_in"] == PARTICIPANTS:
                return ""
            return _grep(what["seen_in"], what["line"], offsets=offsets)
        case Kind.EXIT:
            return f'( {what["command"]} ); echo "exit $?"'


def _curl(what: Mapping[str, object]) -> Sequence[str]:
    url = f"http://127.0.0.1:{what['port']}{what['path']}"
    words = ["curl", "-s", "--max-time", str(whole(5)), "-w", "\n%{http_code}"]
    words += ["-X", str(what["method"])] if "method" in what else []
    words += ["-H", f"Accept: {what['accept']}"] if "accept" in what else []
    if "body" in what:
        words += ["-H", "Content-Type: application/json", "-d", str(what["body"])]
    return [*words, url]


def _grep(file: str, pattern: str, *, offsets: Mapping[str, int]) -> str:
    begin = f"tail -c +{offsets.get(file, 0) + 1} {shlex.quote(file)}"
    return f"{begin} | grep -m {MOST_LINES} -E -e {shlex.quote(pattern)}"
