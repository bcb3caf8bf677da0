"""Puts the bridge together and runs it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from pathlib import Path

import hocon
import jitsilog
from bridge import VERSION, Bridge
from colibriws import Websockets
from jvbconfig import JvbConfig, parse_config
from mucclient import MucClient, Publisher
from rest import Rest, start_server


def run(path: Path, reading: subprocess.Popen[bytes]) -> int:
    """Read the configuration and serve; gives the exit status."""
    jitsilog.setup("JVB")
    journal = jitsilog.Journal()
    journal.info(
        "MainKt.main#75",
        f"Starting jitsi-videobridge version {VERSION}",
    )
    journal.info("MainKt.main#76", "This is a STAND-IN by labctl, not Jitsi's software.")
    try:
        config = parse_config(hocon.load_started(reading), _legacy(path.parent))
    except hocon.ConfigError as error:
        journal.severe("MainKt.main#80", f"Cannot read {path}: {error}")
        return 1
    for name in config.incomplete:
        journal.warning(
            "XmppClientConnectionConfig.<clinit>#35",
            f"Ignoring incomplete configuration with id={name}",
        )
    return asyncio.run(serve(config, journal))


def _legacy(folder: Path) -> dict[str, str]:
    try:
        return hocon.parse_properties((folder / "sip-communicator.properties").read_text())
    except OSError:
        return {}


async def serve(config: JvbConfig, journal: jitsilog.Journal) -> int:
    """Everything that runs; gives the exit status."""
    loop = asyncio.get_running_loop()
    bridge = Bridge(config, journal)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, _signalled, bridge, number)
    clients = [MucClient(muc, bridge, journal) for muc in config.mucs]
    connections = [asyncio.create_task(client.client.run()) for client in clients]
    await _bind_udp(bridge)
    try:
        await _start_http(bridge, clients)
    except OSError as error:
        journal.severe("MainKt.main#160", f"Cannot listen: {error}")
        return 1
    publisher = Publisher(bridge, clients)
    timers = [
        asyncio.create_task(work)
        for work in (
            publisher.run(), bridge.check_health_forever(), bridge.expire_forever(),
            bridge.tick_forever(),
        )
    ]  # fmt: skip
    await bridge.stopped.wait()
    for timer in timers:
        timer.cancel()
    bridge.media.ice.close()
    await asyncio.gather(*(client.client.stop() for client in clients), return_exceptions=True)
    for connection in connections:
        connection.cancel()
    return bridge.exit_code or 0


def _signalled(bridge: Bridge, number: signal.Signals) -> None:
    bridge.journal.info("MainKt$main$5.invoke#190", f"Caught signal {number.name}, shutting down.")
    bridge.exit_code = 128 + number
    bridge.stopped.set()


async def _bind_udp(bridge: Bridge) -> None:
    try:
        await bridge.media.ice.listen(bridge.addresses, bridge.config.udp_port)
        bridge.udp_bound = True
    except OSError as error:
        bridge.journal.severe(
            "Harvesters.createSinglePortHarvesters#70", f"Failed to bind single-port: {error}"
        )


async def _start_http(bridge: Bridge, clients: list[MucClient]) -> None:
    rest = bridge.config.rest
    if rest.private_port > 0:
        await start_server(Rest(bridge, clients).app(), rest.private_host, rest.private_port)
    if rest.public_port > 0:
        await start_server(Websockets(bridge).app(), rest.public_host, rest.public_port)
