"""What a scan from a node says of doors that are open, closed, silent, and many."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address

import pytest
import testinfra

from acceptance import scan
from acceptance.remote import Machine
from labctl.core.waiting import Patience

pytestmark = [pytest.mark.programs, pytest.mark.sockets]

HERE = IPv4Address("127.0.0.1")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """This machine, as if it were a node."""
    monkeypatch.setattr(scan, "SECONDS", 0.5)
    return Machine(testinfra.get_host("local://"), Patience(1.0))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def open_door(stack: ExitStack, *, backlog: int = 5) -> scan.Door:
    server = stack.enter_context(socket.create_server((str(HERE), 0), backlog=backlog))
    return HERE, server.getsockname()[1]


def silent_door(stack: ExitStack) -> scan.Door:
    """A full queue, so that the kernel drops who knocks, as a firewall does."""
    door = open_door(stack, backlog=0)
    for _ in range(3):
        client = stack.enter_context(socket.socket())
        client.setblocking(False)
        client.connect_ex((str(HERE), door[1]))
    return door


def closed_door() -> scan.Door:
    with ExitStack() as stack:
        return open_door(stack)


def test_only_open_doors_answer(machine: Machine, stack: ExitStack) -> None:
    doors = open_door(stack), silent_door(stack), closed_door()
    assert scan.scan_from_node(machine, doors) == {doors[0]}
    assert scan.scan_from_host(doors, machine.patience) == {doors[0]}


def test_a_busy_machine_waits_for_wanted_doors_only(machine: Machine, stack: ExitStack) -> None:
    silent = silent_door(stack)
    days = Patience(10**6)
    assert scan.scan_from_host([silent], days) == frozenset()
    began = time.monotonic()
    assert scan.scan_from_host([silent], Patience(3.0), wanted=[silent]) == frozenset()
    assert time.monotonic() - began >= 3 * scan.SECONDS


def test_a_door_without_a_way_to_it_does_not_answer(machine: Machine) -> None:
    nowhere = IPv4Address("255.255.255.255"), 22
    assert scan.scan_from_host([nowhere], machine.patience) == frozenset()


def test_who_listens_late_hears_what_has_answered(
    machine: Machine, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy process knocks at two thousand doors for longer than a door may keep silent."""
    monkeypatch.setattr(scan, "SECONDS", 0.0)
    doors = [open_door(stack) for _ in range(200)]
    found = scan.scan_from_host([silent_door(stack), closed_door(), *doors], machine.patience)
    assert found == frozenset(doors)


def test_all_of_many_doors_answer(machine: Machine, stack: ExitStack) -> None:
    """As many as one of fifty bridges is asked for, behind twice as many closed ones."""
    doors = [open_door(stack) for _ in range(200)]
    closed = [closed_door()] * 400
    assert scan.scan_from_node(machine, [*closed, *doors]) == frozenset(doors)


def test_a_node_that_cannot_look_says_why(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "_SCRIPT", "nosuchprogram {doors} {seconds}")
    assert "nosuchprogram" in str(scan.scan_from_node(machine, []))
