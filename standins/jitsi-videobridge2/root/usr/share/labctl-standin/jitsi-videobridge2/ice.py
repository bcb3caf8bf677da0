"""The bridge's UDP port and the ICE agents behind it (RFC 8445).

One socket for each local address, so that an answer leaves from the address that was asked.
Packets of many peers share the port: STUN is told apart by its user name, everything else by
where it comes from, and then by its first byte (RFC 7983).  Relays of several conferences between
the same two bridges would all come from one address, so one end of each has a port of its own
(colibri2's `use-unique-port`).
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from stun import BINDING_REQUEST, BINDING_SUCCESS, Stun, parse_stun, render_check, render_success

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
FIRST_TRANSFER_TIMEOUT = 120.0
CHECKS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
CONSENT_INTERVAL = 5.0
TRIES_FOR_A_PORT = 20
RECEIVE_BUFFER = 4 * 1024 * 1024

Address = tuple[str, int]


def make_word(length: int) -> str:
    """A random word of lower-case letters and digits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


@dataclass(frozen=True, slots=True)
class Remote:
    """What the peer said of itself in its Jingle."""

    ufrag: str
    pwd: str
    candidates: tuple[Address, ...] = ()


Route = tuple["IceSocket", Address]


@dataclass(slots=True, eq=False)
class IceAgent:
    """One transport's credentials, its checks, and the pair of addresses that it uses."""

    controlling: bool
    ufrag: str = field(default_factory=lambda: make_word(12))
    pwd: str = field(default_factory=lambda: make_word(26))
    websocket_pwd: str = field(default_factory=lambda: make_word(24))
    created: float = field(default_factory=time.monotonic)
    active: float | None = None
    remote: Remote | None = None
    selected: Route | None = None
    on_connected: Callable[[], None] = lambda: None
    on_packet: Callable[[bytes], None] = lambda data: None
    own_sockets: list[IceSocket] = field(default_factory=list)
    _valid: set[Route] = field(default_factory=set)
    _seen: dict[Route, None] = field(default_factory=dict)
    _asked: dict[bytes, Route] = field(default_factory=dict)
    _tiebreaker: bytes = field(default_factory=lambda: secrets.token_bytes(8))

    def expired(self, now: float, timeout: float) -> bool:
        """No ICE for two minutes since creation, or for `timeout` seconds since the last."""
        if self.active is None:
            return now - self.created > FIRST_TRANSFER_TIMEOUT
        return now - self.active > timeout

    def send(self, data: bytes) -> None:
        """A datagram to the peer; dropped while there is no way to it."""
        if self.selected is not None:
            self.selected[0].send(data, self.selected[1])

    # -- checks --------------------------------------------------------------------------------

    def check(self, route: Route) -> None:
        """Ask the peer along `route`, once it has said its credentials."""
        if self.remote is None:
            return
        transaction = secrets.token_bytes(12)
        if len(self._asked) > 200:
            self._asked.clear()
        self._asked[transaction] = route
        name = f"{self.remote.ufrag}:{self.ufrag}"
        request = render_check(
            transaction, name, self.remote.pwd,
            tiebreaker=self._tiebreaker, controlling=self.controlling,
        )  # fmt: skip
        route[0].send(request, route[1])

    def asked(self, route: Route) -> None:
        """The peer proved along `route` that it knows our password: check that way, too."""
        self.active = time.monotonic()
        self._seen[route] = None
        if route not in self._valid:
            self.check(route)

    def answered(self, answer: Stun) -> bool:
        """A response; False where it is none to our checks."""
        route = self._asked.pop(answer.transaction, None)
        if route is None or self.remote is None or not answer.verified(self.remote.pwd):
            return False
        self.active = time.monotonic()
        self._valid.add(route)
        if self.selected is None:
            self.selected = route
            self.on_connected()
        return True

    def received(self, route: Route, data: bytes) -> None:
        """Something that is not STUN; the peer's choice among valid pairs becomes ours."""
        if route != self.selected and route in self._valid:
            self.selected = route
        self.active = time.monotonic()
        self.on_packet(data)

    @property
    def own_port(self) -> int | None:
        """The port that no other agent uses, where there is one."""
        return self.own_sockets[0].port if self.own_sockets else None

    def routes(self, shared: Iterable[IceSocket]) -> list[Route]:
        """Every way that may lead to the peer, those that it used first."""
        candidates = self.remote.candidates if self.remote else ()
        pairs = [(one, address) for one in self.own_sockets or shared for address in candidates]
        return [*self._seen, *(pair for pair in pairs if pair not in self._seen)]


class IceSocket(asyncio.DatagramProtocol):
    """The port on one local address."""

    def __init__(self, server: IceServer, address: str, port: int) -> None:
        self.address = address
        self.port = port
        self.closed = False
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not `isinstance`: before Python 3.12 asyncio's own class did not derive from this one.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._server.received((self, addr), data)

    def send(self, data: bytes, address: Address) -> None:
        """A datagram from here."""
        if self._transport is not None:
            self._transport.sendto(data, address)

    def close(self) -> None:
        """Give the port back."""
        self.closed = True
        if self._transport is not None:
            self._transport.close()


class IceServer:
    """All sockets, all agents (by local ufrag), and who is behind which address."""

    def __init__(self) -> None:
        self.agents: dict[str, IceAgent] = {}
        self.sockets: list[IceSocket] = []
        self._routes: dict[Route, IceAgent] = {}
        self._tasks: dict[IceAgent, asyncio.Task[None]] = {}
        self._opening: set[asyncio.Task[None]] = set()

    async def listen(self, addresses: Iterable[str], port: int) -> None:
        """Bind `port` on each address; raises OSError."""
        loop = asyncio.get_running_loop()
        for address in addresses:
            made = IceSocket(self, address, port)
            await loop.create_datagram_endpoint(lambda made=made: made, sock=_bind(address, port))
            self.sockets.append(made)

    def open_own_port(self, agent: IceAgent) -> None:
        """Give `agent` a port of its own on every address; raises OSError."""
        bound = _bind_everywhere([one.address for one in self.sockets])
        loop = asyncio.get_running_loop()
        for one in bound:
            address, port = one.getsockname()
            made = IceSocket(self, address, port)
            agent.own_sockets.append(made)
            opening = loop.create_datagram_endpoint(lambda made=made: made, sock=one)
            # Checks that are sent before are repeated.
            task = loop.create_task(_opened(opening, made))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def add(self, agent: IceAgent) -> None:
        """Answer for `agent` from now on."""
        self.agents[agent.ufrag] = agent

    def connect(self, agent: IceAgent, remote: Remote) -> None:
        """The peer's credentials are known: begin to check, and keep asking for its consent."""
        agent.remote = remote
        if agent not in self._tasks and agent.ufrag in self.agents:
            self._tasks[agent] = asyncio.get_running_loop().create_task(self._check(agent))

    async def _check(self, agent: IceAgent) -> None:
        for delay in CHECKS:
            await asyncio.sleep(delay)
            if agent.selected is not None:
                break
            for route in agent.routes(self.sockets):
                agent.check(route)
        while True:
            await asyncio.sleep(CONSENT_INTERVAL)
            if agent.selected is not None:
                agent.check(agent.selected)

    def remove(self, agent: IceAgent) -> None:
        """Forget an agent and its peer's addresses."""
        self.agents.pop(agent.ufrag, None)
        task = self._tasks.pop(agent, None)
        if task is not None:
            task.cancel()
        for one in agent.own_sockets:
            one.close()
        self._routes = {route: one for route, one in self._routes.items() if one is not agent}

    def received(self, route: Route, data: bytes) -> None:
        """One datagram."""
        if not data:
            return
        if data[0] > 3:
            agent = self._routes.get(route)
            if agent is not None:
                agent.received(route, data)
            return
        message = parse_stun(data)
        if message is not None and message.kind == BINDING_REQUEST:
            self._asked(route, message)
        elif message is not None and message.kind == BINDING_SUCCESS:
            for agent in self.agents.values():
                if agent.answered(message):
                    self._routes[route] = agent
                    return

    def _asked(self, route: Route, message: Stun) -> None:
        agent = self.agents.get(message.username.partition(":")[0])
        if agent is None or not message.verified(agent.pwd):
            return
        self._routes[route] = agent
        route[0].send(render_success(message.transaction, route[1][:2], agent.pwd), route[1])
        agent.asked(route)

    def close(self) -> None:
        """Stop checking and close the sockets."""
        for agent in list(self.agents.values()):
            self.remove(agent)
        for one in self.sockets:
            one.close()


def _bind(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    try:
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    return made


def _bind_everywhere(addresses: Sequence[str]) -> list[socket.socket]:
    """Sockets with one free port, the same on every address."""
    for _ in range(TRIES_FOR_A_PORT):
        bound: list[socket.socket] = []
        try:
            for address in addresses:
                bound.append(_bind(address, bound[0].getsockname()[1] if bound else 0))
        except OSError:  # taken on another address
            for one in bound:
                one.close()
        else:
            return bound
    raise OSError(f"no port is free on all of {', '.join(addresses)}")


async def _opened(
    opening: Awaitable[tuple[asyncio.DatagramTransport, IceSocket]], made: IceSocket
) -> None:
    transport, _ = await opening
    if made.closed:
        transport.close()


def parse_address(ip: str, port: str) -> Address | None:
    """A candidate's address; None for a name (mDNS) and for IPv6, on which nothing is bound."""
    try:
        parsed, number = ipaddress.ip_address(ip), int(port)
    except ValueError:
        return None
    return (str(parsed), number) if parsed.version == 4 and 0 < number < 65536 else None


def local_addresses(table: str) -> list[str]:
    """The machine's IPv4 addresses from the text of /proc/net/fib_trie, without loopback."""
    found: list[str] = []
    previous = ""
    for line in table.splitlines():
        if "/32 host LOCAL" in line and previous and not previous.startswith("127."):
            if previous not in found:
                found.append(previous)
        elif "|--" in line:
            previous = line.split("|--")[1].strip()
    return found


def read_addresses() -> list[str]:
    """The addresses that a host candidate may carry."""
    try:
        return local_addresses(Path("/proc/net/fib_trie").read_text())
    except OSError:
        return [socket.gethostbyname(socket.gethostname())]
