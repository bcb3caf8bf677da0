"""Puts Jicofo together and runs it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from pathlib import Path

import hocon
import jitsilog
from aiohttp import web
from authority import Authority
from brewery import Brewery, Doctor
from confrequests import RequestHandler
from context import Context
from focus import FocusManager
from jicofoconfig import JicofoConfig, parse_config
from jingle import JingleHandler
from moderation import Media
from rest import Rest
from selector import BridgeSelector
from services import Connection, VisitorsManager
from stanzas import FOCUS, JINGLE


def run(path: Path, reading: subprocess.Popen[bytes]) -> int:
    """Read the configuration and serve; gives the exit status."""
    jitsilog.setup("Jicofo")
    journal = jitsilog.Journal()
    journal.info("Main.main#49", "Starting Jicofo.")
    journal.info("Main.main#50", "This is a STAND-IN by labctl, not Jitsi's software.")
    try:
        config = parse_config(hocon.load_started(reading), _legacy(path.parent))
    except hocon.ConfigError as error:
        journal.severe("Main.main#60", f"Failed to start jicofo: {path}: {error}")
        return 1
    return asyncio.run(Jicofo(config, journal).serve())


def _legacy(folder: Path) -> dict[str, str]:
    try:
        return hocon.parse_properties((folder / "sip-communicator.properties").read_text())
    except OSError:
        return {}


class Jicofo:
    """The parts and how they are wired."""

    def __init__(self, config: JicofoConfig, journal: jitsilog.Journal) -> None:
        self.config = config
        self.journal = journal
        self.exit_code = 0
        self.stopped = asyncio.Event()

    def _build(self) -> None:
        config, journal = self.config, self.journal
        self.main = Connection("client", config.xmpp.account, config.xmpp.xmpp_domain, journal)
        self.vnodes = {
            one.name: Connection(one.name, one.account, one.xmpp_domain, journal)
            for one in config.xmpp.vnodes
        }
        for name in self.vnodes:
            journal.info("XmppServices.<init>#58", f"Using XMPP visitor connection {name}")
        journal.info(
            "XmppServices.<init>#45",
            "No dedicated Service XMPP connection configured, re-using the client XMPP connection.",
        )
        visitors = VisitorsManager(self.main, config, journal)
        selector = BridgeSelector(config.bridge, journal)
        authority = Authority(config.login_domain)
        self.context = Context(
            config, journal, self.main, self.vnodes, visitors, selector, authority
        )
        Doctor(self.main, selector, journal)
        self.brewery = None
        if config.bridge.brewery:
            self.brewery = Brewery(config.bridge.brewery, self.main, selector, journal)
        else:
            journal.severe("JicofoServices.<init>#90", "No bridge detector configured.")
        self.focus = FocusManager(self.context)
        self.requests = RequestHandler(self.focus)
        jingle = JingleHandler(self.focus)
        for connection in (self.main, *self.vnodes.values()):
            connection.client.iq_handlers[f"{{{JINGLE}}}jingle"] = jingle.handle
        self.main.client.iq_handlers[f"{{{FOCUS}}}conference"] = self.requests.handle_iq
        for media in Media:
            self.main.client.iq_handlers[f"{{{media.namespace}}}mute"] = (
                self.focus.moderation.handle
            )
        self.main.on_registered.append(self._registered)

    def _registered(self, resumed: bool) -> None:
        self.focus.reconnected(resumed)
        if self.brewery is None:
            return
        if resumed:
            self.brewery.keep()
        else:
            self.brewery.clear()
            self.main.client.spawn(self._rejoin(self.brewery))

    async def _rejoin(self, brewery: Brewery) -> None:
        """As upstream's listeners run: conferences leave their rooms first, then the brewery."""
        if self.context.leaving:
            await asyncio.gather(*self.context.leaving, return_exceptions=True)
        await brewery.join()

    async def serve(self) -> int:
        """Run until a signal; gives the exit status, signal + 128."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._signalled, number)
        self._build()
        connections = [self.main, *self.vnodes.values()]
        tasks = [asyncio.create_task(one.client.run()) for one in connections]
        runner = await self._start_rest()
        await self.stopped.wait()
        where = "Main.main#"
        self.journal.info(where + "105", "Stopping services.")
        await asyncio.gather(*(one.client.stop() for one in connections), return_exceptions=True)
        for task in tasks:
            task.cancel()
        if runner is not None:
            await runner.cleanup()
        self.journal.info(
            where + "112", f"Jicofo has been stopped, exiting with exit code {self.exit_code}"
        )
        return self.exit_code

    def _signalled(self, number: signal.Signals) -> None:
        self.journal.info("Main.main#95", f"Caught signal {number.name}, shutting down.")
        self.exit_code = 128 + number
        self.stopped.set()

    async def _start_rest(self) -> web.AppRunner | None:
        if not self.config.rest_enabled:
            return None
        port, host = self.config.rest_port, self.config.rest_host
        self.journal.info("JicofoServices.<init>#100", f"Starting ktor on port {port}, host {host}")
        runner = web.AppRunner(
            Rest(self.focus, self.requests).app(), access_log=None, handle_signals=False,
            shutdown_timeout=1.0,
        )  # fmt: skip
        await runner.setup()
        # A restart may find the old process still closing: it keeps the port for a moment.
        for attempt in range(50):
            try:
                await web.TCPSite(runner, host, port).start()
                return runner
            except OSError as error:
                if attempt == 49:
                    self.journal.severe("Application.start#90", f"Cannot listen: {error}")
                await asyncio.sleep(0.1)
        return runner
