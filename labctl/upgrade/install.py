"""apt on a node: send it files, let it install or purge, and read what it said."""

from __future__ import annotations

import re
import shlex
from base64 import encodebytes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl.images.bakelog import parse_failure
from labctl.node.reach import reach
from labctl.node.script import ShellScript, sectioned
from labctl.node.seam import SlowNodeError
from labctl.node.sections import Sections
from labctl.topology.lab import Lab
from labctl.upgrade.model import Observation, Symptom

FOLDER = "/var/cache/labctl-packages"
"""Where a node keeps the files that it was sent."""

SEND_SECONDS = 120.0
APT_SECONDS = 1200.0
LOG = "/run/labctl-apt.log"
GIVEN_UP = 124
"""The exit status of an apt that did not end, as timeout(1) has it."""

SHOWN = 12
"""Lines of apt's output that are shown of one that did not end."""

KEEP_CONFFILES = ("--force-confdef", "--force-confold")
"""dpkg's options for a node whose conffiles labctl has changed: keep them and do not ask."""

# Debconf's protocol goes to standard error with DEBCONF_DEBUG.  It holds passwords: only the names
# of questions leave the node, and the file is in memory and root's.
_APT = """
umask 077
log={log}
cd {folder}
DEBIAN_FRONTEND=noninteractive DEBCONF_DEBUG=developer {environment} LC_ALL=C.UTF-8 \\
    apt-get --yes -q {words} < /dev/null > "$log" 2>&1
code=$?
section asked
grep -aoE '<-- INPUT (critical|high) [^ ]+' "$log" | sort -u
section output; grep -av '^debconf (developer)' "$log"
section code; echo $code
rm -f "$log"
section end
"""
# What apt had said when it was given up, and the end of what still runs of it.
_GIVE_UP = """
pkill -KILL -x apt-get; pkill -KILL -x dpkg
section asked
section output; grep -av '^debconf (developer)' {log}
section code; echo {code}
rm -f {log}
section end
"""
# There are no lists on a node; only the files that are named are installed.  The node does not live
# long, so nothing need reach its disk at once.
_ALONE = (
    "-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=/dev/null"
    " -o Dpkg::Options::=--force-unsafe-io"
)
_CONFFILE = re.compile(r"^Configuration file '([^']+)'", re.MULTILINE)
_ASKED = re.compile(r"INPUT \S+ (\S+)")
_STEP = re.compile(r"^(?:Setting up|Preparing to unpack|Unpacking) (?:\S*/)?([a-z0-9][a-z0-9+.-]+)")


@dataclass(frozen=True, slots=True)
class AptRun:
    """What one call of apt came to.

    `conffiles` are those that dpkg would have asked about, each with the package that was
    configured; `asked` are debconf's questions of high priority, answered or not.
    """

    code: int
    output: str
    conffiles: tuple[tuple[str, str], ...] = ()
    asked: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        return self.code == 0


def read_status(lab: Lab, node: str) -> str:
    """What dpkg on a node knows, for `labctl.upgrade.larder`."""
    work = ShellScript("cat /var/lib/dpkg/status")
    return reach(lab).run(node, work, sudo=True).output


def send(lab: Lab, node: str, files: Sequence[Path]) -> None:
    """Send .deb files to a node; those that are there already are not sent again."""
    nodes = reach(lab)
    listing = ShellScript(f"mkdir -p {FOLDER}; cd {FOLDER}; ls -1")
    there = set(nodes.run(node, listing, sudo=True).output.split())
    for file in files:
        if file.name in there:
            continue
        target = shlex.quote(f"{FOLDER}/{file.name}")
        work = ShellScript(f"set -e; base64 -d > {target}.part; mv {target}.part {target}")
        text = encodebytes(file.read_bytes()).decode("ascii")
        nodes.run(node, work, sudo=True, stdin=text, seconds=SEND_SECONDS)


def install(
    lab: Lab,
    node: str,
    files: Sequence[Path],
    *,
    conffiles: Sequence[str] = (),
    answered: bool = False,
) -> AptRun:
    """Install files that were sent, as an unattended machine does: nobody can answer.

    Without `conffiles` (options such as `KEEP_CONFFILES`) dpkg fails if it has to ask.  With
    `answered`, debconf's questions count as seen, as if somebody had answered them.
    """
    options = " ".join(f"-o Dpkg::Options::={option}" for option in conffiles)
    names = " ".join(shlex.quote(f"./{file.name}") for file in files)
    words = f"--no-install-recommends --allow-downgrades {options} {_ALONE} install {names}"
    return _run(lab, node, words, answered=answered)


def purge(lab: Lab, node: str, names: Sequence[str]) -> AptRun:
    """Purge packages; what was installed for them alone stays."""
    return _run(lab, node, f"{_ALONE} purge {' '.join(map(shlex.quote, names))}")


def configure_pending(lab: Lab, node: str) -> AptRun:
    """Finish what a question about a conffile has interrupted, keeping the files that are there."""
    options = " ".join(f"-o Dpkg::Options::={option}" for option in KEEP_CONFFILES)
    return _run(lab, node, f"{options} {_ALONE} -f install")


def _run(lab: Lab, node: str, words: str, *, answered: bool = False) -> AptRun:
    seen = "DEBCONF_NONINTERACTIVE_SEEN=true" if answered else ""
    script = sectioned(_APT.format(folder=FOLDER, environment=seen, words=words, log=LOG))
    nodes = reach(lab)
    try:
        answer = nodes.run(node, script, sudo=True, seconds=APT_SECONDS, check=False)
    except SlowNodeError:
        # A script that waits for something that never comes.
        script = sectioned(_GIVE_UP.format(log=LOG, code=GIVEN_UP))
        answer = nodes.run(node, script, sudo=True, check=False)
    return parse_run(answer.sections)


def parse_run(sections: Sections) -> AptRun:
    """What the node's script said.  An answer that is cut off counts as a failure."""
    output = sections.text("output")
    code = sections.text("code").strip()
    asked = (m[1] for line in sections.lines("asked") if (m := _ASKED.search(line)))
    return AptRun(
        int(code) if code.isdigit() else 255,
        output,
        tuple(_conffiles(output)),
        tuple(dict.fromkeys(asked)),
    )


def _conffiles(output: str) -> Iterator[tuple[str, str]]:
    """Each conffile that dpkg asked about, and the package that it was configuring."""
    package = ""
    for line in output.splitlines():
        if match := _STEP.match(line):
            package = match[1]
        elif match := _CONFFILE.match(line):
            yield match[1], package


def failure_of(run: AptRun, *, node: str, what: str) -> Observation | None:
    """Why apt failed, with the package and the step; None if it did not, or only had to ask."""
    if run.done:
        return None
    if run.code == GIVEN_UP:
        lines = tuple(line for line in run.output.splitlines() if line.strip())[-SHOWN:]
        packages = [match[1] for line in lines if (match := _STEP.match(line))]
        text = f"apt did not end within {APT_SECONDS:.0f} s."
        package = packages[-1] if packages else None
        return Observation(Symptom.HANGS, node, what, text, package, evidence=lines)
    found = parse_failure(run.output)
    stopped = run.conffiles and re.search(r"end of file on stdin at conffile prompt", run.output)
    if stopped:
        return None
    text = found.message or f"apt ended with exit status {run.code}."
    return Observation(
        Symptom.FAILED, node, what, text, package=found.package, evidence=found.lines
    )
