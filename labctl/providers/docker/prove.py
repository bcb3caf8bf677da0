"""Prove that nodes run here: start a container as a node is started, and reach a unit in it.

The unit has ProtectSystem and PrivateTmp, which is what hardened engines and kernels refuse, and it
answers on a TCP port at the container's own address.  Everything that is made here is removed, also
after Ctrl-C; what a killed doctor left is removed by the next one.
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from labctl.core import process
from labctl.core.checks import Check, CheckStatus, refused
from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.core.progress import Progress
from labctl.core.waiting import Deadline, wait_until
from labctl.host.network import prove_local
from labctl.host.trial import NODE_OFFSET, is_stale, spare_network, trial_bridge, trial_name
from labctl.providers.docker.command import docker
from labctl.providers.docker.containers import NODE_OPTIONS
from labctl.providers.docker.engine import ask_engine
from labctl.providers.docker.kind import find_endpoint, refuse_kind
from labctl.providers.docker.sharing import refuse_files
from labctl.topology.model import HOST_OFFSET
from labctl.topology.spec import Role

LABEL = "labctl.doctor"
PORT = 7
GREETING = "a unit of labctl answers"
BOOT_SECONDS = 10.0
REACH_SECONDS = 3.0
REMOVE_SECONDS = 5.0
REFUSED_STATUS = "226"
"""systemd's exit status for a unit whose file systems could not be set up (226/NAMESPACE)."""

NETWORK, NODE, REACH = "proof, network", "proof, systemd", "proof, packets"

UNITS = {
    "labctl-doctor.socket": f"[Socket]\nListenStream={PORT}\nAccept=yes\n",
    "labctl-doctor@.service": (
        f"[Service]\nExecStart=/bin/echo {GREETING}\nStandardOutput=socket\n"
        "ProtectSystem=strict\nProtectHome=yes\nPrivateTmp=yes\n"
    ),
}
REACH_HINT = (
    "Look for rules of this machine's firewall ('nft list ruleset', 'iptables -S') and of a VPN"
    " ('ip rule') that concern bridges; packets between a bridge and this machine must pass."
)
REFUSED_HINT = (
    "AppArmor, SELinux or a hardened engine refuses the mounts: 'dmesg' and 'aa-status' name the"
    " profile, /etc/docker/daemon.json a default of the engine."
)


@dataclass(frozen=True, slots=True)
class ProofRig:
    """What is made for the proof: a network with a container, both of one name."""

    name: str
    network: IPv4Network

    @property
    def bridge(self) -> str:
        return trial_bridge(self.name)

    @property
    def address(self) -> str:
        return str(self.network[NODE_OFFSET])


def prove_node(progress: Progress) -> list[Check]:
    """Make a network, start a node in it, reach it, and remove both."""
    engine = ask_engine().engine
    if engine is None:
        return [_open("the Docker engine does not run", "'labctl doctor --fix' starts it.")]
    endpoint = find_endpoint()
    if refuse_kind(engine.kind, endpoint) or refuse_files(endpoint):
        return [_open("no node can run on this engine", "See the engine above.")]
    remove_stale()
    try:
        trial = ProofRig(trial_name(), spare_network())
    except LabError as error:
        return [refused(NETWORK, error, otherwise=Finding.NETWORK_REFUSED)]
    with _removed(trial.name):
        progress("doctor", f"making a network, {trial.network} ...")
        made = make_network(trial)
        if made.status is not CheckStatus.OK:
            return [made]
        image = find_image()
        if image is None:
            return [made, _open("there is no image yet", "Run 'labctl build', then this again.")]
        progress("doctor", f"starting a node from '{image}' and reaching it ...")
        return [made, *_try_node(trial, image)]


def make_network(trial: ProofRig) -> Check:
    """Make the network, and prove that this machine owns its first address."""
    try:
        docker(
            *("network", "create", "--driver", "bridge", "--label", f"{LABEL}={trial.name}"),
            *("--subnet", str(trial.network), "--gateway", str(trial.network[HOST_OFFSET])),
            *("--opt", f"com.docker.network.bridge.name={trial.bridge}"),
            *("--opt", "com.docker.network.bridge.enable_ip_masquerade=false"),
            trial.name,
        )
        prove_local([trial.network[NODE_OFFSET]], trial.network)
    except LabError as error:
        return refused(NETWORK, error, otherwise=Finding.NETWORK_REFUSED)
    return Check(NETWORK, CheckStatus.OK, "a network was made, belongs to this machine, is removed")


def find_image() -> str | None:
    """An image of a role, the newest first, else of the base; None if there is none."""
    for role in (*Role, "base"):
        words = ("images", "--filter", f"label=labctl.role={role}")
        for reference in docker(*words, "--format", "{{.Repository}}:{{.Tag}}").split():
            if "<none>" not in reference:
                return reference
    return None


def _try_node(trial: ProofRig, image: str) -> Iterator[Check]:
    """Start a node and talk to its unit."""
    try:
        start_node(trial, image)
    except LabError as error:
        yield refused(NODE, error, otherwise=Finding.NODE_BROKEN)
        return
    listens = wait_until(
        lambda: _ask(trial, "systemctl", "is-active", "labctl-doctor.socket") == "active",
        deadline=Deadline.after(BOOT_SECONDS),
        interval=0.1,
    )
    if not listens:
        said = docker("logs", "--tail", "3", trial.name, check=False).strip() or "it says nothing"
        found = f"systemd in a container did not start a unit within {BOOT_SECONDS:.0f} s: {said}"
        hint = (
            "'labctl build --refresh' makes the images again; 'docker logs' shows a node's start."
        )
        yield Check(NODE, CheckStatus.FAIL, found, hint, Finding.NODE_BROKEN)
        return
    yield from judge(greeting_from(trial.address), status=_unit_status(trial), image=image)


def judge(greeting: str | None, *, status: str, image: str) -> Iterator[Check]:
    """What an answer of the unit means; None stands for no connection.

    `status` is the exit status of a unit that failed, empty if none did.
    """
    if greeting == GREETING:
        yield Check(NODE, CheckStatus.OK, f"'{image}' runs units with ProtectSystem, PrivateTmp")
    elif status == REFUSED_STATUS:
        found = "a unit with ProtectSystem and PrivateTmp ends with 226/NAMESPACE in a container"
        yield Check(NODE, CheckStatus.FAIL, found, REFUSED_HINT, Finding.UNIT_REFUSED)
    elif greeting is not None:
        found = f"a unit in a container ends with status {status or 'unknown'}"
        hint = "'labctl build --refresh' makes the images again."
        yield Check(NODE, CheckStatus.FAIL, found, hint, Finding.NODE_BROKEN)
    if greeting is None:
        found = "a container listens, and this machine does not reach it at its own address"
        yield Check(REACH, CheckStatus.FAIL, found, REACH_HINT, Finding.NODE_UNREACHED)
    else:
        yield Check(REACH, CheckStatus.OK, "a node was reached at its own address, and is removed")


def start_node(trial: ProofRig, image: str) -> None:
    """Start the container, with the doctor's units in it.  Errors: LabError of the engine."""
    docker(
        "create",
        *NODE_OPTIONS,
        *("--pull", "never", "--name", trial.name, "--label", f"{LABEL}={trial.name}"),
        *("--network", trial.name, "--ip", trial.address, "-p", "127.0.0.1::22"),
        image,
    )
    with tempfile.TemporaryDirectory(prefix="labctl-") as folder:
        write_units(Path(folder))
        docker("cp", f"{folder}/.", f"{trial.name}:/etc/systemd/system/")
    docker("start", trial.name)


def write_units(folder: Path) -> None:
    """Write the doctor's units as they belong into /etc/systemd/system."""
    folder.chmod(0o755)
    for name, text in UNITS.items():
        (folder / name).write_text(text, encoding="utf-8")
    wants = folder / "sockets.target.wants"
    wants.mkdir()
    (wants / "labctl-doctor.socket").symlink_to("/etc/systemd/system/labctl-doctor.socket")


def greeting_from(address: str, *, port: int = PORT, seconds: float = REACH_SECONDS) -> str | None:
    """What answers at an address; None if no connection is made within so many seconds."""
    try:
        with socket.create_connection((address, port), timeout=seconds) as line:
            return line.makefile(encoding="utf-8", errors="replace").readline().strip()
    except ConnectionResetError:
        return ""
    except OSError:
        return None


def _unit_status(trial: ProofRig) -> str:
    units = _ask(trial, "systemctl", "list-units", "--failed", "--plain", "--no-legend",
                 "labctl-doctor@*")  # fmt: skip
    name = units.split()[0] if units else ""
    return _ask(trial, "systemctl", "show", "-P", "ExecMainStatus", name) if name else ""


def _ask(trial: ProofRig, *words: str) -> str:
    """What a command in the container prints, whatever its exit status."""
    return docker("exec", trial.name, *words, check=False, timeout=BOOT_SECONDS).strip()


def _open(why: str, hint: str) -> Check:
    return Check(NODE, CheckStatus.WARN, f"not proven: {why}", hint, Finding.PROOF_OPEN)


@contextmanager
def _removed(name: str) -> Iterator[None]:
    """Whatever happens within, the container and the network of this name are removed."""
    try:
        yield
    finally:
        remove(name)


def remove_stale() -> None:
    """Remove what a doctor that was killed has left."""
    filters = ("--filter", f"label={LABEL}")
    names = docker("ps", "--all", *filters, "--format", "{{.Names}}").split()
    names += docker("network", "ls", *filters, "--format", "{{.Name}}").split()
    for name in dict.fromkeys(names):
        if is_stale(name):
            remove(name)


def remove(name: str) -> None:
    """Remove a container and a network; the engine may still be busy with a killed command."""

    def gone() -> bool:
        for words in (("rm", "--force", "--volumes", name), ("network", "rm", name)):
            process.run(["docker", *words], check=False, timeout=60, stoppable=False)
        left = ["docker", "network", "ls", "--quiet", "--filter", f"name=^{name}$"]
        return not process.run(left, check=False, timeout=60, stoppable=False).output.strip()

    wait_until(gone, deadline=Deadline.after(REMOVE_SECONDS), interval=0.5)
