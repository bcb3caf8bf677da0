"""The bridges' units, for tests that stop and start them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from acceptance import jicofo, remote
from acceptance.undertest import LabUnderTest

UNIT = "jitsi-videobridge2.service"
HEALTH = "http://127.0.0.1:8080/about/health"
START_SECONDS = 40
"""A bridge answers 15 s after its start where Java has little CPU."""
GONE_SECONDS = 10
BACK_SECONDS = 90
"""A bridge that failed before counts again only after 60 s."""


class Bridges:
    """The bridges' units: stop and start them, and wait until Jicofo has noticed."""

    def __init__(self, lab: LabUnderTest) -> None:
        self._lab = lab
        self.nodes = {str(n.bridge): n.name for n in lab.topology.nodes if n.bridge}

    def stop(self, *nicks: str) -> None:
        """Stop bridges that are up: one whose Java has just begun does not say goodbye."""
        for nick in nicks:
            self._wait_answering(nick)
            self._systemctl("stop", nick)

    def _wait_answering(self, nick: str) -> None:
        machine = self._lab.machines[self.nodes[nick]]
        ask = f"systemctl is-active -q {UNIT} && curl -s -o /dev/null -m 2 {HEALTH}"
        code = jicofo.wait_value(
            lambda: remote.run(machine, ask).rc,
            0,
            seconds=START_SECONDS,
            patience=self._lab.patience,
        )
        assert code == 0, f"bridge '{nick}' does not answer at {HEALTH}"

    def start(self, *nicks: str) -> None:
        for nick in nicks:
            self._systemctl("start", nick)

    @contextmanager
    def alone(self, nick: str) -> Iterator[None]:
        """This bridge is the only one for a while."""
        rest = [other for other in self.nodes if other != nick]
        self.stop(*rest)
        self.wait_operational(1, seconds=GONE_SECONDS)
        yield
        self.start(*rest)
        self.wait_operational(len(self.nodes), seconds=BACK_SECONDS)

    def wait_operational(self, count: int, *, seconds: float) -> None:
        jms = self._lab.machines["jms"]
        patience = self._lab.patience
        seen = jicofo.wait_value(
            lambda: jicofo.counts(jms)[1], count, seconds=seconds, patience=patience
        )
        waited = patience.scaled(seconds)
        assert seen == count, f"operational_bridge_count is {seen} after {waited:g} s"

    def _systemctl(self, verb: str, nick: str) -> None:
        node = self.nodes[nick]
        result = remote.run(self._lab.machines[node], "systemctl %s %s", verb, UNIT, seconds=30)
        assert result.rc == 0, f"'systemctl {verb}' on '{node}': {result.stderr.strip()}"
