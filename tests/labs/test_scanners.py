"""TLS and ssh of a lab, judged by the programs that the field trusts: sslyze and ssh-audit.

The policy for TLS is Mozilla's 'intermediate' (`tests/labs/tlsscan.py` says what differs and why),
and for ssh that ssh-audit fails nothing but what `FOR_VAGRANT` names.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from labctl.render.ca import ensure_authority
from labctl.topology.workdir import Workdir
from tests.labs.conftest import Lab
from tests.labs.scanners import forwarded, scan_ssh, scan_tls

pytestmark = [pytest.mark.lab, pytest.mark.slow]

# Who may reach a port that is closed for this machine, by the role of the node that listens.
CLOSED = (
    ("c2s of the main Prosody", "jms", 5222, "jvb1", "XMPP"),
    ("s2s of the main Prosody", "jms", 5269, "visitors1", "XMPP_SERVER"),
    ("c2s of v1", "visitors1", 52221, "jms", "XMPP"),
    ("s2s of v1", "visitors1", 52691, "jms", "XMPP_SERVER"),
)


FOR_VAGRANT = {"ecdh-sha2-nistp256"}
"""Plain Vagrant, by which a bundle's lab comes up, waits for nodes with Ruby's net-ssh.  Of what
today's sshd offers, that (Debian 12: 7.0) knows this key exchange only."""


def target(what: str, ca: Path, *, name: str, port: int, address: str = "127.0.0.1",
           starttls: str = "", sender: str = "") -> dict[str, Any]:  # fmt: skip
    return {
        "what": what, "name": name, "address": address, "port": port, "starttls": starttls,
        "sender": sender, "ca": str(ca),
    }  # fmt: skip


def test_tls_is_as_mozilla_wants_it(lab: Lab) -> None:
    topology, ca = Workdir(lab.path).load_topology(), lab.path / "ca" / "ca.crt"
    domain, jms = topology.domain, topology.jms
    targets = [target("https", ca, name=domain, port=443, address=str(jms.address))]
    if jms.turn:
        targets.append(
            target("TURN over TLS", ca, name=domain, port=5349, address=str(jms.address))
        )
    with ExitStack() as ways:
        for what, node, port, over, starttls in CLOSED:
            address = str(topology.node(node).address)
            local = ways.enter_context(forwarded(lab.path / "ssh" / "config", over, address, port))
            main = node == jms.name
            targets.append(
                target(
                    what, ca, name=domain if main else "v1.meet.jitsi", port=local,
                    starttls=starttls, sender="conference.v1.meet.jitsi" if main else domain,
                )
            )  # fmt: skip
        found = scan_tls(targets)
    assert set(found) == {each["what"] for each in targets}
    bad = {what: wrong for what, wrong in found.items() if wrong}
    assert bad == {}, bad


def test_ssh_has_nothing_that_ssh_audit_fails(lab: Lab) -> None:
    found = {node["name"]: scan_ssh(node["address"]) for node in lab.topology()["nodes"]}
    bad = {node: set(wrong) for node, wrong in found.items() if set(wrong) != FOR_VAGRANT}
    assert bad == {}, bad


@contextmanager
def weak_server(folder: Path) -> Iterator[tuple[int, Path]]:
    """A server with a suite that Mozilla no longer wants, and the CA of its certificate."""
    workdir = Workdir(folder / "weak")
    made = ensure_authority(workdir, domain="weak.internal").issue("x", names=["weak.internal"])
    pair = folder / "pair.pem"
    pair.write_text(made.certificate + made.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    context.set_ciphers("ECDHE+AESGCM:ECDHE+AES128+SHA256")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                client.settimeout(2)
                with client, suppress(OSError), context.wrap_socket(client, server_side=True) as it:
                    it.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], workdir.ca / "ca.crt"


def test_a_weak_suite_and_a_foreign_ca_are_found(tmp_path: Path) -> None:
    """A scan that cannot fail would be none."""
    foreign = Workdir(tmp_path / "foreign")
    ensure_authority(foreign, domain="weak.internal")
    with weak_server(tmp_path) as (port, ca):
        named: dict[str, Any] = {"name": "weak.internal", "port": port}
        found = scan_tls(
            [target("weak", ca, **named), target("foreign", foreign.ca / "ca.crt", **named)]
        )
    assert set(found["weak"]) == {"ciphers"}
    assert "certificate_path_validation" in found["foreign"]
