"""The blocking façade: the same crowd, from code that is not asynchronous."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from labctl.crowd import CrowdError, Kind, sync
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


def test_threads_that_begin_together_share_one_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop of a participant is that of its first wait: two loops would take it apart."""
    made: list[asyncio.AbstractEventLoop] = []

    def slow() -> asyncio.AbstractEventLoop:
        time.sleep(0.05)  # long enough for the other threads to come by
        made.append(asyncio.new_event_loop())
        return made[-1]

    sync._begin.cache_clear()
    monkeypatch.setattr(sync, "new_loop", slow)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: sync._background(), range(4)))
    sync._begin.cache_clear()
    made[0].call_soon_threadsafe(made[0].stop)
    while made[0].is_running():
        time.sleep(0.01)
    made[0].close()
    assert (len(made), set(found)) == (1, {made[0]})
