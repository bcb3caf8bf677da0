"""XMPP connections of Jicofo: the main one and one per vnode, with upstream's log lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jicofoconfig import JicofoConfig
from jitsilog import Journal
from stanzas import DISCO_INFO, VISITORS, Element, el, find_all, iq, render_xml
from xmppclient import Hooks, Identity, Timing, XmppClient, is_error
from xmppstream import Account

FEATURES = [
    "urn:xmpp:jingle:1",
    "urn:xmpp:jingle:apps:rtp:1",
    "urn:xmpp:jingle:transports:ice-udp:1",
]


@dataclass(frozen=True, slots=True)
class Component:
    """A component that the main domain advertises."""

    kind: str
    address: str

    def __str__(self) -> str:
        return f"Component(type={self.kind}, address={self.address})"


class Connection:
    """One XMPP connection with a name: `client`, or the vnode's."""

    def __init__(self, name: str, account: Account, xmpp_domain: str, journal: Journal) -> None:
        self.name = name
        self.xmpp_domain = xmpp_domain
        self.journal = journal.child(thread=25, xmpp_connection=name)
        self.components: list[Component] = []
        self.on_registered: list[Callable[[bool], None]] = []
        self.on_disconnected: list[Callable[[], None]] = []
        self.on_components: list[Callable[[list[Component]], None]] = []
        self.client = XmppClient(
            account,
            self.journal,
            hooks=Hooks(
                authenticated=self._authenticated, disconnected=self._closed, failed=self._failed
            ),
            timing=Timing(first_retry=1.0, later_retry=2.0, reply=15.0),
            identity=Identity("component", "focus", "jicofo", FEATURES),
        )
        self._ever = False

    @property
    def registered(self) -> bool:
        """Logged in right now."""
        return self.client.registered

    def _authenticated(self, resumed: bool) -> None:
        self._ever = True
        sm, stream = self.client.sm, self.client.stream
        self.journal.info(
            "XmppProvider$connectionListener$1.connected#206", f"Connected, JID={self.client.jid}"
        )
        self.journal.info(
            "XmppProvider.setRegistered#141",
            f"Registered (resumed={_word(resumed)}). isSmEnabled:{_word(sm.enabled)} "
            f"isSmAvailable:{_word(stream is not None and stream.sm_available)} "
            f"isSmResumptionPossible:{_word(sm.can_resume)}",
        )
        for tell in self.on_registered:
            tell(resumed)
        if not resumed:
            self.journal.info(
                "XmppProvider.discoverComponents#296",
                f"Will discover components for {self.xmpp_domain}",
            )
            self.client.spawn(self._discover())

    async def _discover(self) -> None:
        request = iq("get", self.xmpp_domain, el(DISCO_INFO, "query"))
        try:
            answer = await self.client.ask(request)
        except TimeoutError:
            self.journal.warning("XmppProvider.discoverComponents#300", "No answer to disco#info.")
            return
        query = answer.find(f"{{{DISCO_INFO}}}query")
        if is_error(answer) or query is None:
            self.journal.warning("XmppProvider.discoverComponents#301", "Failed to discover info.")
            return
        self.components = [
            Component(identity.get("type", ""), identity.get("name", ""))
            for identity in find_all(query, DISCO_INFO, "identity")
            if identity.get("category") == "component"
        ]
        names = ", ".join(str(component) for component in self.components)
        self.journal.warning(
            "XmppProvider.discoverComponents#312", f"Discovered components: [{names}]"
        )
        for tell in self.on_components:
            tell(self.components)

    def _closed(self) -> None:
        self.journal.warning(
            "XmppProvider$connectionListener$1.connectionClosedOnError#219",
            "XMPP connection closed on error.",
        )
        for tell in self.on_disconnected:
            tell()
        self._reconnecting()

    def _reconnecting(self) -> None:
        self.journal.info(
            "XmppProvider$reconnectionListener$1.reconnectingIn#228",
            "XMPP reconnecting in: 2 seconds.",
        )

    def _failed(self, error: Exception) -> None:
        if self._ever:
            self._reconnecting()
            return
        reason = f"{type(error).__name__}: {error}"
        self.journal.severe("XmppProvider.doConnect#131", f"Failed to connect/login: {reason}")
        self.journal.warning(
            "XmppProvider.start#113", "Failed to connect, will re-try after 1 second"
        )


class VisitorsManager:
    """Speaks to the `visitors` component of the main Prosody (docs/facts/visitors.md, 5)."""

    def __init__(self, main: Connection, config: JicofoConfig, journal: Journal) -> None:
        self.main = main
        self.config = config
        self.address: str | None = None
        self.journal = journal.child(connection="client")
        main.on_components.append(self._discovered)

    @property
    def enabled(self) -> bool:
        """Visitors are configured and the component was discovered."""
        return self.config.visitors.enabled and self.address is not None

    def _discovered(self, components: list[Component]) -> None:
        found = [component.address for component in components if component.kind == "visitors"]
        self.address = found[0] if found else None
        word = "enabled" if self.address else "disabled"
        self.journal.info(
            "VisitorsManager.componentsDiscovered#56",
            f"VisitorsComponentManager is now {word} with address {self.address or 'null'}",
        )

    async def send(self, room: str, child: Element) -> None:
        """Tell the component; its answer is only logged."""
        if self.address is None:
            return
        where = "VisitorsManager.sendIqToComponent$lambda$4#"
        request = iq("get", self.address, el(VISITORS, "visitors", {"room": room}, child))
        try:
            answer = await self.main.client.ask(request)
        except TimeoutError:
            self.journal.warning(where + "78", "Timeout waiting for VisitorsIq response.")
            return
        if is_error(answer):
            self.journal.warning(where + "82", f"Received error response: {render_xml(answer)}")
        else:
            self.journal.info(where + "80", f"Received VisitorsIq response: {render_xml(answer)}")


def connect_vnode(vnode: str) -> Element:
    """Link a vnode."""
    return el(VISITORS, "connect-vnode", {"vnode": vnode})


def disconnect_vnode(vnode: str) -> Element:
    """Unlink a vnode."""
    return el(VISITORS, "disconnect-vnode", {"vnode": vnode})


def _word(value: bool) -> str:
    return "true" if value else "false"
