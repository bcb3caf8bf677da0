"""Where a crowd goes: address, domain and the CA that vouches for it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, ip_address
from pathlib import Path

from labctl.core.waiting import NO_PATIENCE, Patience
from labctl.crowd.admission import Admission
from labctl.crowd.errors import CrowdError
from labctl.crowd.names import RoomName
from labctl.topology.lab import Lab
from labctl.topology.model import VNODE_DOMAIN

HTTPS_PORT = 443
LOOPBACK = IPv4Network("127.0.0.0/8")


@dataclass(slots=True, eq=False)
class Target:
    """One lab's door: nginx on the JMS.

    `prove` is called once, before the first packet; it raises (LabError) where `address` is not
    on a network of this machine's own.  TLS verifies `domain` against `ca_file` and nothing else.
    Every deadline of a participant is scaled by `patience`.  With `within`, media goes to no
    address outside that network, whatever a bridge offers.  The secrets of TLS connections are
    appended to `keys`, a file that Wireshark reads (SSLKEYLOGFILE).  `network` is that of the lab,
    and `ca` the content of `ca_file` where that file is another machine's.
    """

    address: IPv4Address
    port: int
    domain: str
    ca_file: Path
    prove: Callable[[IPv4Address], None]
    patience: Patience = NO_PATIENCE
    within: IPv4Network | None = None
    admission: Admission = field(default_factory=Admission)
    keys: Path | None = None
    network: IPv4Network = LOOPBACK
    ca: str | None = None
    session: ssl.SSLSession | None = field(default=None, init=False, repr=False)
    """TLS session of an earlier participant, to resume: a third less CPU per login."""
    _context: ssl.SSLContext | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(cls, lab: Lab, *, keys: Path | None = None) -> Target:
        """The target for a lab; `keys` gets the secrets of its connections."""
        ca_file, network = lab.folder.ca / "ca.crt", lab.topology.network
        address, domain = lab.topology.jms.address, lab.topology.domain
        admission, prove = Admission.of(lab), prover(network)
        if keys is not None:
            make_key_log(keys)
        found = cls(address, HTTPS_PORT, domain, ca_file, prove, lab.patience, admission=admission)
        found.keys, found.network = keys, network
        return found

    def authority(self) -> str:
        """The lab's CA as PEM.  Errors: CrowdError if it cannot be read."""
        try:
            text = self.ca if self.ca is not None else self.ca_file.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise self._bad_authority(str(error)) from error
        if not text.strip():
            # ssl would then trust whatever this machine does.
            raise self._bad_authority("it is empty")
        return text

    def context(self) -> ssl.SSLContext:
        """The TLS settings, made at first use after the address was proven."""
        if self._context is None:
            self.prove(self.address)
            try:
                self._context = ssl.create_default_context(cadata=self.authority())
            except (ssl.SSLError, ValueError) as error:
                raise self._bad_authority(str(error)) from error
            if self.keys is not None:
                self._context.keylog_filename = str(self.keys)
        return self._context

    def _bad_authority(self, why: str) -> CrowdError:
        return CrowdError(
            f"The lab's CA '{self.ca_file}' cannot be read: {why}.",
            hint="Run 'labctl up' to write it again.",
        )

    def may_send(self, address: str) -> bool:
        """Whether media may go to an address that a bridge offers."""
        if self.within is None:
            return True
        try:
            return ip_address(address) in self.within
        except ValueError:
            return False

    @property
    def focus(self) -> str:
        """Where conference requests go (Prosody's client_proxy component)."""
        return f"focus.{self.domain}"

    @property
    def guests(self) -> str:
        """The XMPP domain where everybody may log in without an account."""
        return f"guest.{self.domain}" if self.admission.account is not None else self.domain

    def token(self, name: RoomName) -> str | None:
        """With what the lab's own participants come to a room; None where none is asked."""
        app = self.admission.app
        return app.token(room=name.room) if app is not None else None

    def host(self, vnode: str | None) -> str:
        """The XMPP domain to log in to: the main one, or a vnode's."""
        return f"{vnode}.{VNODE_DOMAIN}" if vnode else self.domain

    def room_jid(self, room: str, vnode: str | None) -> str:
        """The address of a room, as clients have it; `room` is a name as people type it."""
        return RoomName.of(room).address(self.host(vnode))


def prover(network: IPv4Network) -> Callable[[IPv4Address], None]:
    """For `Target.prove` on the machine that runs labctl: `network` must be its own."""

    def prove(address: IPv4Address) -> None:
        from labctl.host.network import prove_local  # late: a crowd on loopback needs none of it

        prove_local([address], network=network)

    return prove


def make_key_log(path: Path) -> None:
    """Make a file for TLS secrets, which only this user may read; an existing one is kept.

    Errors: CrowdError if it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.open("ab").close()
    except OSError as error:
        raise CrowdError(f"'{path}' cannot be written: {error.strerror}.") from error
