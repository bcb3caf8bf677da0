"""Vnodes that are stopped for a while, and what Jicofo's log says of its connections to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from acceptance import jicofo, remote
from acceptance.undertest import LabUnderTest
from labctl.drills.jicofo import parse_marks
from labctl.drills.model import Mark
from labctl.node.jicofo import LOG

NOTICE_SECONDS = 30
BACK_SECONDS = 60


def _marked(lab: LabUnderTest, mark: Mark, offset: int) -> frozenset[str]:
    """Connections with this mark after this place in Jicofo's log."""
    words = remote.run(lab.machines["jms"], "tail -c +%s %s", str(offset + 1), LOG).stdout
    return frozenset(who for _, found, who, _ in parse_marks(words) if found is mark)


def _systemctl(
    lab: LabUnderTest, verb: str, names: Sequence[str], holders: Mapping[str, str]
) -> None:
    units = {vnode.name: vnode.unit for vnode in lab.topology.vnodes}
    for name in names:
        machine = lab.machines[holders[name]]
        result = remote.run(machine, "systemctl %s %s", verb, units[name], seconds=60)
        assert result.rc == 0, f"{verb} of '{units[name]}': {result.stderr.strip()}"


@contextmanager
def stopped(lab: LabUnderTest, names: Sequence[str], holders: Mapping[str, str]) -> Iterator[None]:
    """These vnodes are down and Jicofo knows; at the end they are up and Jicofo knows."""
    jms = lab.machines["jms"]
    wanted = frozenset(names)
    try:
        offset = jicofo.log_size(jms)
        _systemctl(lab, "stop", names, holders)
        gone = jicofo.wait_value(
            lambda: _marked(lab, Mark.RECONNECTING, offset) & wanted,
            wanted, seconds=NOTICE_SECONDS, patience=lab.patience,
        )  # fmt: skip
        assert gone == wanted, f"Jicofo did not notice that {sorted(wanted - gone)} are gone"
        yield
    finally:
        offset = jicofo.log_size(jms)
        _systemctl(lab, "start", names, holders)
        back = jicofo.wait_value(
            lambda: _marked(lab, Mark.REGISTERED, offset) & wanted,
            wanted, seconds=BACK_SECONDS, patience=lab.patience,
        )  # fmt: skip
    assert back == wanted, f"Jicofo is not connected to {sorted(wanted - back)} again"
