"""Certificates, as clients and other servers are shown them: chain, names, expiry, protocol."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from acceptance import certificates, remote
from acceptance.certificates import Service, Shown
from acceptance.remote import Machine
from acceptance.undertest import LabUnderTest
from labctl.topology.model import Topology

pytestmark = [pytest.mark.services, pytest.mark.security]

LONGEST = timedelta(days=7)
"""A lab that is not rebuilt for a week must not stop working in the middle of a lesson."""


@pytest.fixture(scope="module")
def shown(jms: Machine, topology: Topology) -> Mapping[str, Shown]:
    return certificates.look(jms, certificates.services(topology))


@pytest.fixture(scope="module")
def ca(lab: LabUnderTest) -> x509.Certificate:
    return x509.load_pem_x509_certificate((lab.lab.folder.ca / "ca.crt").read_bytes())


def test_certificate_is_trusted_under_its_name(
    shown: Mapping[str, Shown], service: Service
) -> None:
    """When this fails, who verifies is refused: browsers warn, bridges and vnodes stay away."""
    found, _ = certificates.of(shown, service)
    assert found.verdict == "0 (ok)"


def test_certificate_is_the_labs_own(
    shown: Mapping[str, Shown], ca: x509.Certificate, service: Service
) -> None:
    """When this fails, another CA than the lab's vouches, and nobody outside the lab trusts it."""
    _, certificate = certificates.of(shown, service)
    certificate.verify_directly_issued_by(ca)


def test_certificate_names_the_service(shown: Mapping[str, Shown], service: Service) -> None:
    """When this fails, verification works by chance of an old rule, and ends with the next."""
    _, certificate = certificates.of(shown, service)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {service.name, *service.others} <= set(names.get_values_for_type(x509.DNSName))


def test_certificate_lasts(
    shown: Mapping[str, Shown], ca: x509.Certificate, service: Service
) -> None:
    """When this fails, the lab stops working within a week, or does not work yet."""
    _, certificate = certificates.of(shown, service)
    now = datetime.now(UTC)
    for one in (certificate, ca):
        assert one.not_valid_before_utc <= now
        assert one.not_valid_after_utc >= now + LONGEST


def test_old_tls_is_refused(jms: Machine, service: Service) -> None:
    """When this fails, somebody in between can make a client speak a broken TLS."""
    options = ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    said = remote.run(jms, "sh -c %s", service.command(*options, patience=jms.patience)).stdout
    assert "alert protocol version" in said, said[-2000:]
    assert "BEGIN CERTIFICATE" not in said
