"""Conferences that several tests share: people of several tenants, people on several lines.

They are begun early (`acceptance.early`), because most of their time is waiting for servers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from acceptance.rooms import JOIN_SECONDS
from labctl.crowd import Options
from labctl.crowd.asking import Asking
from labctl.crowd.door import Line
from labctl.crowd.sync import SyncCrowd, SyncParticipant, crowd_in
from labctl.crowd.target import Target
from labctl.topology.lab import Lab

TENANTS = {
    "acme": "acme",
    "other": "other",
    "Tenant@example.com": "tenantexample_com",
    "tenant-example.com": "tenant-example_com",
    "обитател": "%d0%be%d0%b1%d0%b8%d1%82%d0%b0%d1%82%d0%b5%d0%bb",
}
"""As people type them -> as a part of host names.  The last three are those of the web client's own
test of names."""


@dataclass(frozen=True)
class Name:
    """A room's name as two people type it, and as the client encodes it."""

    typed: tuple[str, str]
    encoded: str


NAMES = {
    "capitals": Name(("Team-Meeting", "tEAM-mEETING"), "team-meeting"),
    "umlauts and a blank": Name(("Büro 1", "B%C3%9CRO%201"), "b%c3%bcro%201"),
    "ampersand": Name(("R&D", "RD"), "rd"),
    "emoji": Name(("🎉", "%F0%9F%8E%89"), "%f0%9f%8e%89"),
    "per cent": Name(("100%", "100%25"), "100%25"),
    "200 characters": Name(("L" * 200, "l" * 200), "l" * 200),
}
"""Upper case, other scripts, marks and lengths, each in two spellings of one name."""

AT_ONCE = 3
BROWSER = Options(lasting=True)
PHONE = Options(line=Line.BOSH)
EARLY = Options(asking=Asking.HTTP)


@dataclass(frozen=True)
class Talks:
    """One room name, in no tenant ('') and in each of TENANTS; two people in each."""

    room: str
    by_tenant: dict[str, SyncCrowd]

    def address(self, tenant: str, domain: str) -> str:
        inner = f"{TENANTS[tenant]}." if tenant else ""
        return f"{self.room}@conference.{inner}{domain}"


@contextmanager
def tenants_talk(lab: Lab) -> Iterator[Talks]:
    """People of all tenants, in rooms of the same name."""
    target, room = Target.of(lab), "accept-tenants"
    with ExitStack() as stack:
        crowds = {
            tenant: stack.enter_context(crowd_in(target, f"{tenant}/{room}"))
            for tenant in ("", *TENANTS)
        }
        _join_all((crowd, 2) for crowd in crowds.values())
        yield Talks(room, crowds)


@dataclass(frozen=True)
class Lines:
    """One conference of people who came in by different ways, speakers and visitors."""

    crowd: SyncCrowd
    browser: SyncParticipant
    phone: SyncParticipant
    early: SyncParticipant
    visitors: dict[str, SyncParticipant]

    @property
    def speakers(self) -> list[SyncParticipant]:
        return [self.browser, self.phone, self.early]

    @property
    def everybody(self) -> list[SyncParticipant]:
        return [*self.speakers, *self.visitors.values()]


@contextmanager
def lines_talk(lab: Lab) -> Iterator[Lines]:
    """A speaker and, where the lab has vnodes, a visitor on each line."""
    names = {"browser": BROWSER, "phone": PHONE, "early": EARLY}
    with crowd_in(Target.of(lab), "accept-lines") as crowd:

        def come(options: Options) -> SyncParticipant:
            return crowd.join(1, deadline=JOIN_SECONDS, options=options)[0]

        speakers = [come(options) for options in names.values()]
        listening = names if lab.topology.vnodes else {}
        visitors = {
            name: come(replace(options, want_visitor=True)) for name, options in listening.items()
        }
        yield Lines(crowd, *speakers, visitors)


@dataclass(frozen=True)
class Spellings:
    """Two people in a room of each of NAMES, who typed its name differently."""

    prefix: str
    people: dict[str, list[SyncParticipant]]


@contextmanager
def spellings_talk(lab: Lab) -> Iterator[Spellings]:
    """All begin with one prefix, so that no other conference has such a name."""
    target, prefix = Target.of(lab), "accept-"
    with ExitStack() as stack:
        crowds = {
            name: [stack.enter_context(crowd_in(target, prefix + it)) for it in spelled.typed]
            for name, spelled in NAMES.items()
        }
        # One after the other: of two that begin a room at the same time, the original Jicofo may
        # send one to a vnode (docs/facts/observed-labs.md, 12).
        for index in range(2):
            _join_all((pair[index], 1) for pair in crowds.values())
        people = {name: [one.participants[0] for one in pair] for name, pair in crowds.items()}
        yield Spellings(prefix, people)


def _join_all(crowds: Iterable[tuple[SyncCrowd, int]]) -> None:
    """So many into each of these rooms, some rooms at a time.

    On a busy machine the original Jicofo needs more than its own 15 s (`initial-timeout`) to begin
    fifteen conferences at once, and then answers nobody.
    """
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        joins = [pool.submit(crowd.join, count, deadline=JOIN_SECONDS) for crowd, count in crowds]
        for join in joins:
            join.result()
