"""One client-to-server XMPP stream: TCP, STARTTLS, SASL, bind or resume (RFC 6120, XEP-0198).

Knows nothing about reconnecting or stanza handlers; that is `xmppclient`.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import xml.etree.ElementTree as ET
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from sasl import SaslError, choose_mechanism
from smacks import StreamManagement
from stanzas import (
    BIND,
    CLIENT,
    SASL,
    SM,
    STREAM,
    TLS,
    Element,
    StanzaReader,
    el,
    find,
    iq,
    local,
    render_xml,
)  # fmt: skip

CONNECT_TIMEOUT = 30.0
STEP_TIMEOUT = 15.0


class StreamError(Exception):
    """The stream broke or the server refused a step of its negotiation."""


class Security(StrEnum):
    """Whether TLS is needed, as Smack's SecurityMode."""

    REQUIRED = "required"
    IF_POSSIBLE = "ifpossible"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Account:
    """Where to log in as whom; without a password, anonymously."""

    host: str
    port: int
    domain: str
    username: str
    password: str | None
    resource: str | None = None
    security: Security = Security.REQUIRED
    verify: bool = True


def tls_context(verify: bool) -> ssl.SSLContext:
    """TLS as a Java client does it: the system's trust store, the XMPP domain's name."""
    context = ssl.create_default_context()
    # Java does not ask for the extensions that OpenSSL's strict mode demands of a lab's CA.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class XmppStream:
    """A connected stream; `open` negotiates, then `read` gives stanzas until the end."""

    def __init__(self, account: Account, sm: StreamManagement) -> None:
        self.account = account
        self.sm = sm
        self.jid = ""
        self.sm_available = False
        self.resumed = False
        self._stanzas: deque[Element] = deque()
        self._ended = False

    async def open(self, *, resume_jid: str) -> None:
        """Connect, secure, authenticate, then resume `sm`'s session or bind a fresh one.

        Raises OSError, ssl.SSLError, StreamError, SaslError or TimeoutError.
        """
        async with asyncio.timeout(CONNECT_TIMEOUT):
            self._reader, self._writer = await asyncio.open_connection(
                self.account.host, self.account.port
            )
        try:
            features = await self._secure(await self._restart())
            await self._authenticate(features)
            features = await self._restart()
            self.sm_available = find(features, SM, "sm") is not None
            if self.sm.can_resume and self.sm_available and await self._resume():
                self.jid = resume_jid
                return
            await self._bind()
        except BaseException:
            self.abort()
            raise

    async def _secure(self, features: Element) -> Element:
        offered = find(features, TLS, "starttls") is not None
        if self.account.security is Security.DISABLED or (
            not offered and self.account.security is Security.IF_POSSIBLE
        ):
            return features
        if not offered:
            raise StreamError("SecurityRequiredByClientException: TLS is not offered")
        self.write(f"<starttls xmlns='{TLS}'/>")
        answer = await self._step()
        if local(answer) != "proceed":
            raise StreamError("the server refused STARTTLS")
        context = tls_context(self.account.verify)
        async with asyncio.timeout(STEP_TIMEOUT):
            await self._writer.start_tls(context, server_hostname=self.account.domain)
        return await self._restart()

    async def _authenticate(self, features: Element) -> None:
        element = find(features, SASL, "mechanisms")
        offered = {child.text or "" for child in element} if element is not None else set()
        mechanism = choose_mechanism(offered, self.account.username, self.account.password)
        first = base64.b64encode(mechanism.initial()).decode() or "="
        self.write(f"<auth xmlns='{SASL}' mechanism='{mechanism.name}'>{first}</auth>")
        while True:
            answer = await self._step()
            data = base64.b64decode(answer.text or "")
            if local(answer) == "challenge":
                reply = base64.b64encode(mechanism.challenge(data)).decode()
                self.write(f"<response xmlns='{SASL}'>{reply}</response>")
            elif local(answer) == "success":
                return mechanism.success(data)
            else:
                reason = local(answer[0]) if len(answer) else local(answer)
                raise SaslError(f"SASLError using {mechanism.name}: {reason}")

    async def _bind(self) -> None:
        request = el(BIND, "bind")
        if self.account.resource:
            request.append(el(BIND, "resource", None, self.account.resource))
        self.write(render_xml(iq("set", None, request, id="bind")))
        answer = await self._step()
        jid = answer.findtext(f"{{{BIND}}}bind/{{{BIND}}}jid")
        if not jid:
            raise StreamError("the server did not bind a resource")
        self.jid = jid
        self.sm.forget()
        if self.sm_available:
            self.write(f"<enable xmlns='{SM}' resume='true'/>")
            answer = await self._step()
            if local(answer) == "enabled":
                can = answer.get("resume") in ("true", "1")
                self.sm.start(answer.get("id") if can else None)

    async def _resume(self) -> bool:
        self.write(f"<resume xmlns='{SM}' h='{self.sm.received}' previd='{self.sm.id}'/>")
        answer = await self._step()
        if local(answer) != "resumed":
            self.sm.forget()
            return False
        self.sm.acknowledged(int(answer.get("h", "0")))
        for stanza in self.sm.unacknowledged():
            self.write(stanza)
        self.resumed = True
        return True

    async def _restart(self) -> Element:
        self._parser = StanzaReader()
        self._stanzas.clear()
        to = self.account.domain
        self.write(
            f"<?xml version='1.0'?><stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAM}'"
            f" to='{to}' version='1.0'>"
        )
        features = await self._step()
        if local(features) != "features":
            raise StreamError(f"expected stream features, got {local(features)}")
        return features

    async def _step(self) -> Element:
        async with asyncio.timeout(STEP_TIMEOUT):
            stanza = await self.read()
        if stanza is None:
            raise StreamError("the server closed the stream")
        return stanza

    async def read(self) -> Element | None:
        """The next stanza or stream-level element; None at the end of the stream."""
        while not self._stanzas:
            if self._ended:
                return None
            data = await self._reader.read(65536)
            if not data:
                return None
            try:
                stanzas, self._ended = self._parser.feed(data)
            except ET.ParseError as error:
                raise StreamError(f"not well-formed: {error}") from error
            self._stanzas.extend(stanzas)
        stanza = self._stanzas.popleft()
        if stanza.tag == f"{{{STREAM}}}error":
            raise StreamError("stream:error (" + ", ".join(local(child) for child in stanza) + ")")
        return stanza

    def write(self, text: str) -> None:
        """Send text as it is; the transport buffers it."""
        self._writer.write(text.encode())

    async def close(self) -> None:
        """End the stream politely; waits 2 s at most for the data to leave."""
        try:
            self.write("</stream:stream>")
            async with asyncio.timeout(2):
                await self._writer.drain()
                self._writer.close()
                await self._writer.wait_closed()
        except (OSError, TimeoutError, ssl.SSLError):
            self.abort()

    def abort(self) -> None:
        """Drop the connection without a word."""
        self._writer.transport.abort()
