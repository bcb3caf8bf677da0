#!/usr/bin/env python3
"""CPU time per login of the crowd's client, side by side with Tsung's.

    bin/labctl up --lab benchmark --jvbs 1 --visitors 1
    .venv/bin/python benchmarks/logins.py --lab benchmark [--logins 400] [--rate 60] [--rounds 3]

Both do the same against the same vnode, through nginx and TLS, started at the same rate:
WebSocket upgrade, <open/>, SASL ANONYMOUS, <open/>, bind, <close/>.  They run in turn.  CPU time
is that of the whole process and its children; what ten logins cost (mostly the start) is taken
off, and the rest is divided by the other logins.  The vnode's log says how many there really were.

Tsung does not verify certificates; the crowd does.  The busy waiting of its schedulers is turned
off, for that is no work.  Its WebSocket transport with TLS waits for ever in Tsung 1.7.0 (it
expects messages of plain TCP), so this uses its WebSocket session type over TLS.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.results import Results, Unit, add_options  # noqa: E402  after the path is known
from labctl.crowd import Target  # noqa: E402
from labctl.crowd.door import Door  # noqa: E402
from labctl.crowd.run import spare_collector  # noqa: E402
from labctl.crowd.stream import Stream  # noqa: E402
from labctl.crowd.sync import new_loop  # noqa: E402
from labctl.node.reach import reach  # noqa: E402
from labctl.node.script import ShellScript  # noqa: E402
from labctl.topology.lab import Lab  # noqa: E402
from labctl.topology.workdir import Workdir  # noqa: E402

AT_ONCE = 20
START = 10  # logins of the run whose CPU time counts as that of starting
FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
# Without these Erlang's schedulers spin for a while before they sleep.
ERLANG = {"ERL_FLAGS": "+sbwt none +sbwtdcpu none +sbwtdio none"}


@dataclass(frozen=True, slots=True)
class Run:
    """CPU seconds of one run, and how many logins the vnode saw in it."""

    cpu: float
    logins: int


def timed(argv: list[str], *, env: dict[str, str], log: Path) -> float:
    """CPU seconds of a program and all that it waited for."""
    with log.open("ab") as out:
        streams = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, out.fileno(), 1),
            (os.POSIX_SPAWN_DUP2, out.fileno(), 2),
        ]
        pid = os.posix_spawnp(argv[0], argv, {**os.environ, **env}, file_actions=streams)
        _, status, usage = os.wait4(pid, 0)
    if status != 0:
        sys.exit(f"{argv[0]} failed:\n{log.read_text(errors='replace')[-3000:]}")
    return usage.ru_utime + usage.ru_stime


# The crowd's client, in a process of its own.


async def log_in(target: Target, vnode: str) -> None:
    stream = Stream(
        target,
        domain=target.host(vnode),
        door=Door(f"vnode={vnode}&room=benchmark"),
        on_stanza=lambda stanza: None,
        on_lost=lambda reason: None,
    )
    await stream.connect()
    await stream.login()
    await stream.close()


async def log_in_at(target: Target, vnode: str, *, logins: int, rate: float) -> None:
    """Begin so many a second; with rate 0, AT_ONCE at a time as fast as the lab takes them."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    places = asyncio.Semaphore(logins if rate else AT_ONCE)

    async def one() -> None:
        async with places:
            await log_in(target, vnode)

    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        for index in range(logins):
            if rate:
                await asyncio.sleep(began + index / rate - loop.time())
            group.create_task(one())


def child(options: argparse.Namespace) -> None:
    target = Target.of(Lab.load(Workdir.of(options.lab)))
    spare_collector()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(log_in_at(target, "v1", logins=options.logins, rate=options.rate))


# Tsung.


def request(text: str) -> str:
    message = f'<websocket type="message" frame="text" ack="parse">{escape(text)}</websocket>'
    return f"<request>{message}</request>"


def render_tsung(address: str, *, logins: int, rate: float) -> str:
    """Its configuration; the pauses let both frames come that answer an <open/>."""
    opened = request(f"<open xmlns='{FRAMING}' to='v1.meet.jitsi' version='1.0'/>")
    pause = '<thinktime value="0.1"/>'
    sasl, bind = "urn:ietf:params:xml:ns:xmpp-sasl", "urn:ietf:params:xml:ns:xmpp-bind"
    auth = request(f"<auth mechanism='ANONYMOUS' xmlns='{sasl}'/>")
    bound = request(f"<iq type='set' id='b' xmlns='jabber:client'><bind xmlns='{bind}'/></iq>")
    close = request(f"<close xmlns='{FRAMING}'/>")
    return f"""<?xml version="1.0"?>
<!DOCTYPE tsung SYSTEM "/usr/share/tsung/tsung-1.0.dtd" []>
<tsung loglevel="warning" version="1.0">
<clients><client host="localhost" use_controller_vm="true" maxusers="15000"/></clients>
<servers><server host="{address}" port="443" type="ssl"/></servers>
<load><arrivalphase phase="1" duration="10" unit="minute">
<users maxnumber="{logins}" arrivalrate="{rate:g}" unit="second"/></arrivalphase></load>
<sessions><session probability="100" name="login" type="ts_websocket">
<request>
<websocket type="connect" path="/xmpp-websocket?vnode=v1&amp;room=benchmark" subprotocols="xmpp"/>
</request>
{opened}{pause}{auth}{opened}{pause}{bound}{close}
</session></sessions>
</tsung>
"""


# The comparison.


@dataclass(frozen=True, slots=True)
class Bench:
    """Where both go, and where they leave their files."""

    lab: Lab
    folder: Path
    rate: float

    def seen(self) -> int:
        """Logins that the vnode has logged so far."""
        node = next(node.name for node in self.lab.topology.nodes if node.vnodes)
        script = "grep -c 'Authenticated as' /var/log/prosody-v1/prosody.log || true"
        answer = reach(self.lab).run(node, ShellScript(script), sudo=True, seconds=30)
        return int(answer.output.split()[-1])

    def run(self, what: str, logins: int) -> Run:
        before = self.seen()
        cpu = self.ours(logins) if what == "crowd" else self.tsung(logins)
        return Run(cpu, self.seen() - before)

    def ours(self, logins: int) -> float:
        words = ["--child", "--lab", self.lab.folder.lab, "--logins", str(logins)]
        argv = [sys.executable, __file__, *words, "--rate", str(self.rate)]
        return timed(argv, env={}, log=self.folder / "crowd.log")

    def tsung(self, logins: int) -> float:
        address = str(self.lab.topology.jms.address)
        config = self.folder / "tsung.xml"
        config.write_text(render_tsung(address, logins=logins, rate=self.rate))
        argv = ["tsung", "-f", str(config), "-l", str(self.folder / "tsung"), "-w", "0", "start"]
        return timed(argv, env=ERLANG, log=self.folder / "tsung.log")

    def per_login(self, what: str, logins: int) -> float:
        """Milliseconds of CPU time per login, without the start."""
        start, whole = self.run(what, START), self.run(what, logins)
        extra = whole.logins - start.logins
        cpu = (whole.cpu - start.cpu) / max(extra, 1) * 1000
        load = os.getloadavg()[0]
        note = f"{whole.logins} of {logins} logins, start {start.cpu:.2f} s, load {load:.1f}"
        print(f"  {what:<6} {cpu:6.2f} ms a login   ({note})", flush=True)
        if whole.logins < logins * 0.98:
            print(f"  {what} did not complete its logins: this figure does not count")
        return cpu


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lab", required=True, help="a running lab with a vnode v1")
    parser.add_argument("--logins", type=int, default=400)
    parser.add_argument("--rate", type=float, default=60, help="logins begun per second")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    add_options(parser)
    options = parser.parse_args()
    if options.child:
        child(options)
        return 0
    results, names = Results("logins"), {"crowd": "a login, crowd", "tsung": "a login, Tsung"}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Lab.load(Workdir.of(options.lab)), Path(folder), options.rate)
        Target.of(bench.lab).context()  # proves the network
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}")
            for what, name in names.items():
                note(results, name, bench.per_login(what, options.logins))
    with tempfile.TemporaryDirectory() as folder:
        print(f"the crowd alone, {AT_ONCE} at once")
        bench = Bench(Lab.load(Workdir.of(options.lab)), Path(folder), 0)
        for _ in range(options.rounds):
            note(results, f"a login, {AT_ONCE} at once", bench.per_login("crowd", options.logins))
    results.ratio("a login: crowd / Tsung", over=names["crowd"], under=names["tsung"])
    return results.end(options)


def note(results: Results, name: str, milliseconds: float) -> None:
    results.note(name, milliseconds, kind=Unit.CPU, unit="ms CPU")


if __name__ == "__main__":
    sys.exit(main())
