"""The certificates that the lab's servers really show, looked at from the JMS by openssl.

On the JMS because it may reach every one of these ports; verified there against the CA that the
nodes trust.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from cryptography import x509

from acceptance import remote
from acceptance.remote import Machine
from labctl.core.waiting import Patience
from labctl.node.script import sectioned
from labctl.node.sections import parse_sections
from labctl.topology.model import Topology

CA = "/usr/local/share/ca-certificates/labctl-lab-ca.crt"
_PEM = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Service:
    """A port that speaks TLS: `name` is what its certificate must name."""

    label: str
    address: str
    port: int
    name: str
    starttls: str = ""
    """openssl's word for the protocol that TLS is started in; empty for TLS from the start."""
    others: tuple[str, ...] = ()
    """Further names that the certificate must have: servers use it among each other."""

    def command(self, *options: str, patience: Patience) -> str:
        words = ["openssl", "s_client", "-connect", f"{self.address}:{self.port}"]
        if self.starttls:
            words += ["-starttls", self.starttls, "-xmpphost", self.name]
        else:
            words += ["-servername", self.name]
        words += ["-CAfile", CA, "-verify_hostname", self.name, *options]
        return f"timeout {patience.whole(10)} " + " ".join(words) + " </dev/null 2>&1"


@dataclass(frozen=True, slots=True)
class Shown:
    """What openssl said of a service: its verdict, and the certificate."""

    verdict: str
    certificate: x509.Certificate | None
    text: str


def services(topology: Topology) -> tuple[Service, ...]:
    """Every TLS port of the lab that a client or Jicofo verifies.

    The s2s ports show the same certificates, but only to servers of the whitelist.
    """
    domain, address = topology.domain, str(topology.jms.address)
    found = [
        Service("https", address, 443, domain),
        Service("c2s-main", address, 5222, domain, "xmpp"),
        Service("c2s-auth", address, 5222, f"auth.{domain}", "xmpp"),
    ]
    for vnode, node in topology.vnode_nodes():
        names = (vnode.domain, f"conference.{vnode.domain}", f"polls.{vnode.domain}")
        there = str(node.vnode_address)
        label, port = f"c2s-{vnode.name}", vnode.c2s_port
        found.append(Service(label, there, port, "auth.meet.jitsi", "xmpp", names))
    return tuple(found)


def look(jms: Machine, wanted: tuple[Service, ...]) -> Mapping[str, Shown]:
    """What each service shows, by label; asked one after another in one command."""
    parts = [
        f"section {it.label}; {it.command('-showcerts', patience=jms.patience)}" for it in wanted
    ]
    script = sectioned("\n".join(parts))
    sections = parse_sections(remote.run(jms, "sh -c %s", script.text, seconds=60).stdout)
    found: dict[str, Shown] = {}
    for label, text in sections.texts.items():
        verdict = re.findall(r"Verify return code: (.*)", text)
        pem = _PEM.search(text)
        certificate = x509.load_pem_x509_certificate(pem[0].encode()) if pem else None
        found[label] = Shown(verdict[-1] if verdict else "no answer", certificate, text)
    return found


def of(shown: Mapping[str, Shown], service: Service) -> tuple[Shown, x509.Certificate]:
    """What a service shows, with its certificate; if there is none, the test fails with a
    message."""
    found = shown.get(service.label)
    if found is None or found.certificate is None:
        where = f"{service.address}:{service.port}"
        said = found.text.strip().splitlines()[-1:] if found else []
        words = " ".join(said) or "nothing"
        pytest.fail(f"'{service.label}' at {where} showed no certificate: {words}", pytrace=False)
    return found, found.certificate
