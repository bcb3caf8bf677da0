"""Processes of a crowd on other machines: what they are told, and what their loss means."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from labctl.core.plain import from_plain, to_plain
from labctl.core.waiting import Patience
from labctl.crowd import CrowdError, Target, many, shares
from labctl.crowd.admission import Account, Admission, App
from labctl.crowd.run import CrowdOutcome, CrowdPlan, CrowdStage
from labctl.crowd.share import Order, prover_inside
from labctl.crowd.shares import Place, find_places
from labctl.crowd.target import LOOPBACK
from labctl.providers.base import CrowdHost
from labctl.providers.docker.crowdimage import read_code
from tests.crowd.fakexmpp import FakeXmpp
from tests.crowd.test_many import HERE, PROGRAM, children, nobody_stayed, run

pytestmark = [pytest.mark.sockets, pytest.mark.programs]

HOST = CrowdHost("lab2", ("docker", "run", "python3"), {"DOCKER_HOST": "ssh://lab2"}, "Look there.")
AWAY = Place(PROGRAM, machine="lab2", hint="Look there.")
LAB = IPv4Network("192.168.56.0/24")
PLAN = CrowdPlan(1, 4, hold=0.2, rate=50)


def test_so_many_processes_are_on_each_machine() -> None:
    assert find_places(1) == ()
    assert find_places(2) == (Place(), Place())
    assert find_places(1, [HOST])[0] == Place()
    *here, first, second = find_places(2, [HOST])
    assert here == [Place()] * 2 and first == second
    assert first.program == ("docker", "run", "python3", "-m", "labctl.crowd.share")
    assert (first.machine, first.env, first.hint) == ("lab2", HOST.env, "Look there.")
    assert first.away and not Place().away


@pytest.mark.parametrize(
    "admission",
    [
        Admission(),
        Admission(account=Account("host", "secret word")),
        Admission(app=App("labctl", "secret word")),
    ],
    ids=["open", "account", "tokens"],
)
def test_an_order_has_all_of_its_target(tmp_path: Path, admission: Admission) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_text("-----BEGIN CERTIFICATE-----\n")
    target = Target(
        LAB[105], 443, "meet.x", ca, lambda _: None, Patience(2.0), admission=admission, network=LAB
    )
    given = Order.of(target, "Acme/Büro 1", visitors=7, rate=2.5, away=True)
    order = from_plain(Order, json.loads(json.dumps(to_plain(given))))
    assert order == given and str(tmp_path) not in json.dumps(to_plain(order))
    assert "secret word" not in repr(order)
    ca.unlink()
    found = order.target()
    assert (found.address, found.port, found.domain) == (LAB[105], 443, "meet.x")
    assert found.patience == Patience(2.0) and found.admission == admission
    assert found.authority() == "-----BEGIN CERTIFICATE-----\n" and found.network == LAB


@pytest.mark.parametrize("text", ["", "\n", None])
def test_without_a_ca_nothing_else_is_trusted(tmp_path: Path, text: str | None) -> None:
    """Python's default, the authorities of the machine, must not be what is left."""
    target = Target(IPv4Address("127.0.0.1"), 1, "x", tmp_path / "ca", lambda _: None, ca=text)
    with pytest.raises(CrowdError, match=r"CA '.*' cannot be read"):
        target.context()


def test_nothing_is_sent_from_outside_of_the_labs_network() -> None:
    here = IPv4Address("127.0.0.1")
    prover_inside(LOOPBACK)(here)
    with pytest.raises(CrowdError, match="not from the lab's network 192"):
        prover_inside(LAB)(here)


def image_place(folder: Path) -> Place:
    """Python with the files of the image and without any other package, on this machine."""
    for name, content in read_code().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    start = (
        f"import runpy, sys; sys.path.append({str(folder)!r});"
        " runpy.run_module('labctl.crowd.share', run_name='__main__', alter_sys=True)"
    )
    return Place((sys.executable, "-I", "-S", "-c", start), machine="lab2")


def test_the_image_has_what_a_part_of_a_crowd_needs(tmp_path: Path) -> None:
    """Certificates are checked there as here, and all are in one table."""
    server = FakeXmpp(vnode="v1")
    outcome = run(tmp_path, server, PLAN, places=[HERE, image_place(tmp_path / "image")])
    assert outcome.figures.well and outcome.figures.joined == 5
    assert outcome.figures.phases["all"].count == 5
    assert outcome.machines == {"local": 2, "lab2": 2}
    assert nobody_stayed(server)


def test_a_machine_whose_part_ends_is_named(tmp_path: Path) -> None:
    killed: list[int] = []

    def kill(stage: CrowdStage, _: object) -> None:
        if stage is CrowdStage.HOLDING and not killed:
            killed.append(children()[0])
            os.kill(killed[0], signal.SIGKILL)

    plan = replace(PLAN, hold=60)
    with pytest.raises(CrowdError, match=r"crowd on machine 'lab2', with 2 visitors, .*-9") as it:
        run(tmp_path, FakeXmpp(), plan, places=[AWAY, AWAY], show=kill)
    assert it.value.hint == "Look there."
    assert children() == []


def test_what_a_machine_cannot_do_is_named(tmp_path: Path) -> None:
    say = 'import labctl.crowd.share as it; it.say(it.Said(failure="No way.", hint="Find one."))'
    place = Place((sys.executable, "-c", say), machine="lab2")
    with pytest.raises(CrowdError, match="On machine 'lab2': No way") as caught:
        run(tmp_path, FakeXmpp(), PLAN, places=[HERE, place])
    assert caught.value.hint == "Find one."


def test_a_machine_that_says_nothing_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if its cable were drawn: the program here goes on, and nothing comes of it."""
    monkeypatch.setattr(shares, "SILENT_SECONDS", 1.0)
    monkeypatch.setattr(shares, "LOOK_EVERY", 0.1)
    monkeypatch.setattr(many, "LOOK_EVERY", 0.1)
    hang = "import threading; threading.Event().wait()  # loopbackshare"
    place = Place((sys.executable, "-c", hang), machine="lab2", hint="Look there.")
    plan, server = replace(PLAN, hold=60), FakeXmpp()
    with pytest.raises(CrowdError, match="for 1 s of the 2 visitors on machine 'lab2'") as caught:
        run(tmp_path, server, plan, places=[HERE, place])
    assert caught.value.hint == "Look there."
    assert children() == [] and nobody_stayed(server)


def test_a_process_here_may_be_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be lost, and a machine that sleeps for an hour has not lost its crowd."""

    async def main() -> Sequence[bool]:
        orders: list[tuple[Place, Order]] = []
        for each in (HERE, AWAY):
            orders.append((each, Order("r", 1, 1, LAB[1], 1, "x", LOOPBACK, "x")))
        them = shares.Shares(orders, news=asyncio.Event())
        silent = [one.is_silent(one.heard + 3600) for one in them.all]
        await them.end()
        return silent

    assert asyncio.run(main()) == [False, True]


def test_without_other_machines_none_is_named(tmp_path: Path) -> None:
    outcome: CrowdOutcome = run(tmp_path, FakeXmpp(), PLAN)
    assert outcome.machines == {}
