#!/usr/bin/env python3
"""What media costs: participants against CPU time in a lab, and our parts beside aiortc's.

    bin/labctl up --lab benchmark --jvbs 1
    .venv/bin/python benchmarks/media.py --lab benchmark [--sound 20] [--picture 6] [--hold 20]
    .venv/bin/python benchmarks/media.py --parts
    .venv/bin/python benchmarks/media.py gap --lab benchmark [--rounds 5] [--json FILE]

With a lab: a room of so many participants with sound, then one with sound and picture.  CPU time
is that of this process while all are in; 100 % is one core.  The lab's nodes share the machine.
`--parts` needs no lab: how much a connection and a received packet cost with aiortc's
RTCPeerConnection, with aioice and aiortc's DTLS, and with what the crowd has of its own.
`gap` measures no cost: it compares gaps that our receivers count with Chromium's (mediagap.py).
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.crowd import cpu  # noqa: E402  after the path is known
from benchmarks.mediagap import run_gaps  # noqa: E402
from benchmarks.results import Results, Unit, add_options  # noqa: E402
from labctl.cli.crowdtable import Lines, print_figures  # noqa: E402
from labctl.crowd import Target  # noqa: E402
from labctl.crowd.figures import Figures  # noqa: E402
from labctl.crowd.media import MediaKind, MediaOptions  # noqa: E402
from labctl.crowd.run import CrowdPlan, CrowdStage, MediaPlan, run_crowd, spare_collector  # noqa: E402
from labctl.crowd.sync import new_loop  # noqa: E402
from labctl.topology.lab import Lab  # noqa: E402
from labctl.topology.workdir import Workdir  # noqa: E402

RESULTS = Results("media")
SETTLED = 4.0
"""Seconds of holding that are not measured: sessions are still connecting."""


class Watch:
    """Notes CPU time and packets once all have settled, and as they were last."""

    def __init__(self, room: str) -> None:
        self.lines = Lines(room)
        self.first: tuple[float, float, int] | None = None
        self.last: tuple[float, float, int] | None = None
        self.began: float | None = None

    def __call__(self, stage: CrowdStage, figures: Figures) -> None:
        self.lines(stage, figures)
        if stage is not CrowdStage.HOLDING or figures.media is None:
            return
        now = time.monotonic()
        self.began = self.began or now
        if now - self.began < SETTLED:
            return
        packets = sum(one.packets for one in figures.media.kinds.values())
        self.last = (now, cpu(), packets)
        self.first = self.first or self.last


def measure(target: Target, options: MediaOptions, count: int, *, hold: float, what: str) -> None:
    """One room with `count` participants that have media."""
    room = f"media-{secrets.token_hex(3)}"
    watch = Watch(room)
    plan = CrowdPlan(count, 0, hold, rate=3, media=MediaPlan(count, 0, options))
    with asyncio.Runner(loop_factory=new_loop) as runner:
        outcome = runner.run(run_crowd(target, room, plan, show=watch))
    print_figures(outcome.figures)
    if watch.first is None or watch.last is None or watch.first is watch.last:
        print(f"{what}: nothing was measured; raise --hold")
        return
    (began, cpu_then, packets_then), (ended, cpu_now, packets_now) = watch.first, watch.last
    seconds, used = ended - began, cpu_now - cpu_then
    rate = (packets_now - packets_then) / seconds
    RESULTS.note(
        f"{what}: a packet, all included",
        used / max(packets_now - packets_then, 1) * 1e6,
        kind=Unit.CPU,
        unit="us CPU",
    )
    RESULTS.note(f"{what}: a second of each", used / seconds / count, kind=Unit.CPU)
    print(
        f"\n{what}: {count} participants, {rate:.0f} packets/s received, "
        f"{used / seconds:.0%} of a core, {used / seconds / count:.2%} a participant, "
        f"{used / max(packets_now - packets_then, 1) * 1e6:.0f} us a packet (all included)\n"
    )


def lab(arguments: argparse.Namespace) -> None:
    spare_collector()
    lab = Lab.load(Workdir.of(arguments.lab))
    topology, target = lab.topology, Target.of(lab)
    for count, kind, what in (
        (arguments.sound, MediaKind.AUDIO, "sound"),
        (arguments.picture, MediaKind.BOTH, "sound and picture"),
    ):
        if count:
            options = MediaOptions.of(topology, kind)
            measure(target, options, count, hold=arguments.hold, what=what)


# Our parts beside aiortc's, on loopback.


async def timed(name: str, count: int, make: Callable[[], object]) -> list[object]:
    """CPU time of `count` connections, both ends in this process."""
    before = cpu()
    made = [await make() for _ in range(count)]  # type: ignore[misc]
    RESULTS.note(name, (cpu() - before) / count * 1000, kind=Unit.CPU, unit="ms CPU")
    return made


async def peers() -> object:
    """Two of aiortc's RTCPeerConnection with a data channel."""
    from aiortc import RTCConfiguration, RTCPeerConnection

    one, two = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    one.createDataChannel("x")
    await one.setLocalDescription(await one.createOffer())
    await two.setRemoteDescription(one.localDescription)
    await two.setLocalDescription(await two.createAnswer())
    await one.setRemoteDescription(two.localDescription)
    while one.connectionState != "connected" or two.connectionState != "connected":
        await asyncio.sleep(0.005)
    return one, two


async def parts() -> None:
    from tests.crowd.media.fakebridge import FakeBridge, bridging

    pairs = await timed("two RTCPeerConnections", 20, peers)
    for pair in pairs:
        for peer in pair:  # type: ignore[attr-defined]
            await peer.close()
    async with bridging(FakeBridge(paused=True)) as bridge:
        await timed("aiortc's ICE and DTLS, both ends", 20, lambda: theirs(bridge))
        await timed("aiortc's ICE and DTLS, and ours", 20, lambda: ours(bridge))
    async with bridging(FakeBridge(paused=True)) as bridge:
        await packets("received by aiortc's DTLS, counted", await theirs(bridge))
    async with bridging(FakeBridge(paused=True)) as bridge:
        await packets("received by ours, counted", await ours(bridge))


async def theirs(bridge: object) -> object:
    """An endpoint of the bridge with aiortc's parts as its participant."""
    from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters
    from aiortc.rtcicetransport import RTCIceParameters

    from tests.crowd.media.fakebridge import Endpoint

    server: Endpoint = await bridge.endpoint(secrets.token_hex(4))  # type: ignore[attr-defined]
    client: Endpoint = await bridge.endpoint(secrets.token_hex(4))  # type: ignore[attr-defined]
    client.ice._connection.ice_controlling = False
    client.dtls._set_role("client")

    async def link(one: Endpoint, other: Endpoint) -> None:
        told = other.ice.iceGatherer.getLocalParameters()
        for candidate in other.ice.iceGatherer.getLocalCandidates():
            await one.ice.addRemoteCandidate(candidate)
        await one.ice.addRemoteCandidate(None)
        await one.ice.start(RTCIceParameters(told.usernameFragment, told.password))
        prints = other.dtls.getLocalParameters().fingerprints
        await one.dtls.start(
            RTCDtlsParameters([RTCDtlsFingerprint(p.algorithm, p.value) for p in prints])
        )

    await asyncio.gather(link(server, client), link(client, server))
    return server, lambda: client.rtp[77]


async def ours(bridge: object) -> object:
    from tests.crowd.media.person import OPTIONS, Person

    person = Person(secrets.token_hex(4), OPTIONS)
    endpoint = await person.invite(bridge)  # type: ignore[arg-type]
    while person.view().connected_at is None or endpoint.dtls.state != "connected":
        await asyncio.sleep(0.005)
    person.call.flows.end()
    person.call.flows.begin(person.call._session, person.call._agreed, {})  # type: ignore[arg-type]
    return endpoint, lambda: sum(source.packets for source in person.view().sources)


async def packets(name: str, pair: object, *, count: int = 20_000) -> None:
    """CPU time of a packet from the bridge; what sending costs is the same for both."""
    from labctl.crowd.media.rtp import render_packet

    endpoint, counted = pair  # type: ignore[misc]
    made = [
        render_packet(
            payload_type=111, marker=False, sequence=n & 0xFFFF, timestamp=n * 960 & 0xFFFFFFFF,
            ssrc=77, payload=bytes(80),
        )
        for n in range(count)
    ]  # fmt: skip
    before = cpu()
    for index, packet in enumerate(made):
        await endpoint.dtls._send_rtp(packet)
        if index % 10 == 9:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.5)
    used = (cpu() - before) / count * 1e6
    assert counted() > 0.99 * count, f"{name}: {counted()} of {count} packets arrived"
    # The sender's half is included.
    RESULTS.note(name, used, kind=Unit.CPU, unit="us CPU")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("mode", nargs="?", choices=("cost", "gap"), default="cost")
    parser.add_argument("--lab", help="a running lab")
    parser.add_argument("--sound", type=int, default=20)
    parser.add_argument("--picture", type=int, default=6)
    parser.add_argument("--hold", type=float, default=20)
    parser.add_argument("--parts", action="store_true", help="our parts beside aiortc's")
    parser.add_argument("--rounds", type=int, default=5, help="of `gap`")
    add_options(parser)
    arguments = parser.parse_args()
    if arguments.mode == "gap":
        if not arguments.lab or arguments.rounds < 1:
            parser.error("'gap' needs --lab and at least one round")
        loaded = Lab.load(Workdir.of(arguments.lab))
        run_gaps(loaded, rounds=arguments.rounds, json_file=arguments.json)
        return 0
    if arguments.parts:
        asyncio.run(parts())
    if arguments.lab:
        lab(arguments)
    return RESULTS.end(arguments)


if __name__ == "__main__":
    sys.exit(main())
