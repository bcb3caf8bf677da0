"""The engine's firewall rules: whether they are still there, and who may have removed them.

Docker makes chains of its own when it starts and expects to find them later.  `nft flush ruleset`,
`iptables -X`, a reset of ufw or another firewall that starts later removes them; then no network
can be made, no container with a port starts, or nodes do not reach each other.
"""

from __future__ import annotations

import json
import os
import re
import socket
from contextlib import suppress
from pathlib import Path

from labctl.core import process
from labctl.core.checks import Check, CheckStatus, Fix
from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.core.privilege import find_program
from labctl.providers.docker.dockerd import INIT_SCRIPT, PID_FILE, SYSTEMD

NAME = "firewall"
BRIDGE = "docker0"
SECONDS = 10.0
DAEMON_FILE = Path("/etc/docker/daemon.json")
UFW_FILE = Path("/etc/ufw/ufw.conf")
LEGACY_TABLES = Path("/proc/net/ip_tables_names")
TRUSTING = ("docker", "trusted")
"""Zones of firewalld that let containers through; Docker makes the first and uses it."""

NO_CHAIN = "No chain/target/match by that name"
"""What iptables tells the engine, and the engine the user, when a chain is missing."""


def check_filters() -> Check:
    """Check that the engine's rules are in place; names a firewall that runs beside them."""
    manager = find_manager()
    beside = f"; {manager} is active" if manager else ""
    try:
        problem = find_problem()
    except LabError as error:
        return Check(NAME, CheckStatus.OK, f"not readable: {error.message}{beside}")
    if problem is not None:
        finding, words = problem
        fix = None if has_containers() else restart_fix()
        said = f"{words}{beside}"
        return Check(NAME, CheckStatus.FAIL, said, restart_hint(), finding, fix)
    return Check(NAME, CheckStatus.OK, f"the engine's rules are in place{beside}")


def refuse_lost_rules() -> None:
    """Refuse, before anything is baked, an engine whose rules are gone (LabError)."""
    with suppress(process.ProcessError):
        if problem := find_problem():
            finding, words = problem
            said = f"This machine's firewall: {words}."
            raise LabError(said, hint=restart_hint(), finding=finding)


def explain_failure(error: LabError) -> LabError:
    """The cause and cure of the engine's own message about a chain that is missing."""
    if NO_CHAIN not in error.message:
        return error
    said = "The Docker engine's firewall rules are gone: they were flushed after it started."
    return LabError(
        f"{said}\n    {error.message}", hint=restart_hint(), finding=Finding.FIREWALL_FLUSHED
    )


def find_problem() -> tuple[Finding, str] | None:
    """What is wrong with the rules for the engine's containers, in words; None if nothing is known.

    Errors: ProcessError if the rules may not be read.
    """
    if _zone_of_bridge() not in (None, *TRUSTING):
        words = "firewalld started after the Docker engine and does not let containers through"
        return Finding.FIREWALL_LATE, words
    here = BRIDGE in {name for _, name in socket.if_nameindex()}
    if not here or os.environ.get("DOCKER_HOST") or not _makes_rules():
        return None
    nat, filter_ = _save("nat"), _save("filter")
    loss = None if nat is None or filter_ is None else find_loss(nat, filter_)
    return None if loss is None else (Finding.FIREWALL_FLUSHED, loss)


def find_loss(nat: str, filter_: str) -> str | None:
    """Which of the engine's rules are gone, by `iptables -S` of both tables; None if none is."""
    for table, text in (("nat", nat), ("filter", filter_)):
        if not re.search(r"(?m)^-N DOCKER$", text):
            return f"the Docker engine's chain in the table '{table}' is gone (flushed)"
    drops = re.search(r"(?m)^-P FORWARD DROP$", filter_)
    if drops and not re.search(r"(?m)^-A FORWARD .*-j DOCKER", filter_):
        return "nothing leads to the Docker engine's chains any more (flushed), and FORWARD drops"
    return None


def find_manager(*, ufw: Path = UFW_FILE) -> str | None:
    """The program that manages this machine's firewall: 'firewalld', 'ufw', or None."""
    if _firewalld("--state") is not None:
        return "firewalld"
    with suppress(OSError):
        if re.search(r"(?m)^ENABLED=yes\s*$", ufw.read_text(encoding="utf-8")):
            return "ufw"
    return None


def restart_fix() -> Fix | None:
    """The command that makes the engine write its rules again, if this machine has one."""
    changes = "the Docker engine was restarted and has made its rules again"
    if SYSTEMD.is_dir():
        return Fix(("systemctl", "restart", "docker"), changes)
    return Fix(("service", "docker", "restart"), changes) if INIT_SCRIPT.exists() else None


def has_containers() -> bool:
    """Whether containers run, which a restart of the engine would stop; also if it is not known."""
    try:
        return bool(process.run(["docker", "ps", "--quiet"], timeout=SECONDS).output.strip())
    except LabError:
        return True


def restart_hint() -> str:
    """What makes the engine write its rules again, in words."""
    if fix := restart_fix():
        return fix.hint
    with suppress(OSError):
        pid = PID_FILE.read_text(encoding="utf-8").strip()
        return f"Stop the Docker engine (process {pid}); 'labctl up' starts it again."
    return "Restart the Docker engine."


def _zone_of_bridge() -> str | None:
    """firewalld's zone of the engine's bridge, '' if it has none; None without firewalld."""
    if _firewalld("--state") is None:
        return None
    return _firewalld(f"--get-zone-of-interface={BRIDGE}") or ""


def _firewalld(word: str) -> str | None:
    """What firewalld answers; None if it is not there, does not run, or says no."""
    program = find_program("firewall-cmd")
    if program is None:
        return None
    try:
        result = process.run([program, word], check=False, timeout=SECONDS)
    except LabError:
        return None
    return result.output.strip() if result.code == 0 else None


def _makes_rules() -> bool:
    """Whether the engine keeps its rules with iptables, as far as this machine shows."""
    with suppress(OSError, ValueError):
        settings = json.loads(DAEMON_FILE.read_text(encoding="utf-8"))
        if settings.get("iptables") is False or settings.get("firewall-backend") == "nftables":
            return False
    with suppress(OSError, ValueError):
        pid = int(PID_FILE.read_text(encoding="utf-8"))
        words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")
        return not {"--iptables=false", "--firewall-backend=nftables"}.intersection(words)
    return True


def _save(table: str) -> str | None:
    """`iptables -S` of a table; None if the engine may use another kind of iptables.

    Errors: ProcessError without the right to read them.
    """
    with suppress(OSError):
        # Tables of the old kind are there, which the usual program does not show.
        if LEGACY_TABLES.read_text(encoding="utf-8").split():
            return None
    program = find_program("iptables")
    if program is None:
        return None
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    return process.run([*sudo, program, "-t", table, "-S"], timeout=SECONDS).output
