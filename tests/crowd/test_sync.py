"""The blocking façade: the same crowd, from code that is not asynchronous."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.crowd import CrowdError, Kind
from labctl.crowd.sync import crowd_in, wait
from tests.crowd.fakexmpp import FakeXmpp, running

pytestmark = pytest.mark.sockets


def test_a_crowd_from_a_test(tmp_path: Path) -> None:
    server = FakeXmpp()
    door = running(server, tmp_path)
    target = wait(door.__aenter__())
    try:
        with crowd_in(target, "r1") as crowd:
            first, _ = crowd.join(2)
            crowd.wait_invited(deadline=5)
            first.say("hello")
            assert [e.details["body"] for e in crowd.wait_for(Kind.MESSAGE, deadline=5)] == [
                "hello"
            ] * 2
            assert {view.state for view in crowd.views()} == {"joined"}
            with pytest.raises(CrowdError, match="had no event 'terminated'"):
                first.wait_for(Kind.TERMINATED, deadline=0.1)
        assert {view.state for view in crowd.views()} == {"left"}
    finally:
        wait(door.__aexit__(None, None, None))
