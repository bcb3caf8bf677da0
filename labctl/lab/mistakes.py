"""Known mistakes of a lab that runs: their ids, what shows them, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labctl.core.checks import CheckStatus, told
from labctl.core.findings import Finding

UP_AGAIN = "Run 'labctl up': it places labctl's own files again."


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A known mistake: its id, the node or part it concerns, a sentence, and what to do."""

    id: Finding
    where: str
    says: str
    cure: str

    def to_json(self) -> dict[str, str | None]:
        """Plain data for programs, under the names that checks of a machine have."""
        found = {"name": self.where, "status": CheckStatus.FAIL, "what": self.says}
        return {**found, **told(self.id, cure=self.cure)}


@dataclass(frozen=True, slots=True)
class Words:
    """What a line of a bridge's log means."""

    id: Finding
    pattern: str
    says: str
    cure: str


LOG_WORDS = (
    Words(
        Finding.BRIDGE_PASSWORD,
        r"not-authorized|SASLError|Login failed|authentication failed",
        "Prosody refuses its password, so it cannot join the brewery",
        f"{UP_AGAIN} By hand: the password in jvb.conf must be that of the account 'jvb'.",
    ),
    Words(
        Finding.CERTIFICATE_UNTRUSTED,
        r"PKIX|CertificateException|certificate_unknown|SSLHandshakeException|unable to find valid",
        "it does not trust Prosody's certificate",
        "Run 'labctl up': it places the lab's CA again. Java reads it only at its start.",
    ),
    Words(
        Finding.PROSODY_UNREACHABLE,
        r"Connection refused|ConnectException|NoRouteToHost|connect timed out",
        "it cannot reach Prosody on 5222/tcp",
        "See whether Prosody runs ('labctl status') and whether a firewall is in between.",
    ),
)
SIGNAL_RULES: Mapping[str, tuple[Finding, str]] = {
    "answers": (Finding.NODE_SILENT, "Start it: 'labctl up'. Its console: 'labctl logs'."),
    "entropy": (Finding.NO_ENTROPY, "Give the machine a virtio-rng device."),
    "clock": (Finding.CLOCK_OFF, "Set the clock, or make the certificates again: 'labctl up'."),
    "units": (
        Finding.UNIT_STOPPED,
        "Run 'labctl up', or 'labctl logs NODE' to see why it stopped.",
    ),
    "ports": (
        Finding.PORT_CLOSED,
        "The unit runs and does not listen: 'labctl logs NODE' says why.",
    ),
    "modules": (Finding.MODULE_FAILED, "'labctl logs NODE' has Prosody's reason."),
    "seat": (Finding.JICOFO_LOST, "Run 'labctl up', which restarts a Jicofo that lost its seat."),
    "vnodes": (
        Finding.VNODE_UNLINKED,
        "See whether its Prosody runs and whether 'visitors' in jicofo.conf names its address;"
        " 'labctl up' places both again.",
    ),
}
"""The last word of a signal of readiness -> the mistake that it shows, and the cure."""
