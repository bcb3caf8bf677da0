"""Where a crowd goes: address, domain and the CA that vouches for it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from labctl.crowd.errors import CrowdError
from labctl.model import VNODE_DOMAIN, Topology
from labctl.workdir import Workdir

HTTPS_PORT = 443


@dataclass(slots=True, eq=False)
class Target:
    """One lab's door: nginx on the JMS.

    `prove` is called once, before the first packet; it raises (LabError) where `address` is not
    on a network of this machine's own.  TLS verifies `domain` against `ca_file` and nothing else.
    """

    address: IPv4Address
    port: int
    domain: str
    ca_file: Path
    prove: Callable[[IPv4Address], None]
    session: ssl.SSLSession | None = field(default=None, init=False, repr=False)
    """TLS session of an earlier participant, to resume: a third less CPU per login."""
    _context: ssl.SSLContext | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(cls, topology: Topology, workdir: Workdir) -> Target:
        """The target for a lab in its working directory."""
        from labctl.network import prove_local  # late: a crowd on loopback needs none of it

        def prove(address: IPv4Address) -> None:
            prove_local([address], network=topology.network)

        ca_file = workdir.ca / "ca.crt"
        return cls(topology.jms.address, HTTPS_PORT, topology.domain, ca_file, prove)

    def context(self) -> ssl.SSLContext:
        """The TLS settings, made at first use after the address was proven."""
        if self._context is None:
            self.prove(self.address)
            try:
                self._context = ssl.create_default_context(cafile=str(self.ca_file))
            except (OSError, ssl.SSLError) as error:
                raise CrowdError(
                    f"The lab's CA '{self.ca_file}' cannot be read: {error}.",
                    hint="Run 'labctl up' to write it anew.",
                ) from error
        return self._context

    @property
    def focus(self) -> str:
        """Where conference requests go (Prosody's client_proxy component)."""
        return f"focus.{self.domain}"

    def host(self, vnode: str | None) -> str:
        """The XMPP domain to log in to: the main one, or a vnode's."""
        return f"{vnode}.{VNODE_DOMAIN}" if vnode else self.domain

    def room_jid(self, room: str, vnode: str | None) -> str:
        return f"{room}@conference.{self.host(vnode)}"
