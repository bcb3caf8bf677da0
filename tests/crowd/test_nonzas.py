"""What comes between stanzas: in order, waited for, and ended by an error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from labctl.crowd.errors import CrowdError
from labctl.crowd.nonzas import Nonzas
from labctl.crowd.xml import parse_stanza

ONE, TWO = parse_stanza("<one/>"), parse_stanza("<two/>")


def play(scene: Callable[[Nonzas], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(5):
            await scene(Nonzas())

    asyncio.run(main())


def test_what_came_is_read_in_order() -> None:
    async def scene(nonzas: Nonzas) -> None:
        nonzas.add(ONE)
        nonzas.add(TWO)
        assert [await nonzas.next(), await nonzas.next()] == [ONE, TWO]

    play(scene)


def test_who_waits_gets_what_comes_later() -> None:
    async def scene(nonzas: Nonzas) -> None:
        for nonza in (ONE, TWO):
            waiting = asyncio.ensure_future(nonzas.next())
            await asyncio.sleep(0)
            nonzas.add(nonza)
            assert await waiting is nonza

    play(scene)


def test_what_came_on_an_earlier_connection_is_forgotten() -> None:
    async def scene(nonzas: Nonzas) -> None:
        nonzas.add(ONE)
        nonzas.clear()
        nonzas.add(TWO)
        assert await nonzas.next() is TWO

    play(scene)


def test_who_waits_is_told_why_nothing_will_come() -> None:
    async def scene(nonzas: Nonzas) -> None:
        waiting = asyncio.ensure_future(nonzas.next())
        await asyncio.sleep(0)
        nonzas.fail(CrowdError("It is gone."))
        with pytest.raises(CrowdError, match=r"It is gone\."):
            await waiting

    play(scene)


def test_a_failure_that_nobody_waits_for_concerns_nobody() -> None:
    async def scene(nonzas: Nonzas) -> None:
        nonzas.fail(CrowdError("It is gone."))
        nonzas.add(ONE)
        assert await nonzas.next() is ONE

    play(scene)


def test_who_has_given_up_is_not_woken() -> None:
    async def scene(nonzas: Nonzas) -> None:
        waiting = asyncio.ensure_future(nonzas.next())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        nonzas.add(ONE)
        nonzas.fail(CrowdError("It is gone."))
        assert await nonzas.next() is ONE

    play(scene)
