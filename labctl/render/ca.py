"""The lab's certificate authority: every node trusts it, so nothing turns verification off."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from labctl.core.errors import LabError
from labctl.core.files import write_file
from labctl.topology.model import VNODE_DOMAIN
from labctl.topology.workdir import Workdir

LIFETIME = dt.timedelta(days=825)
RENEW_BEFORE = dt.timedelta(days=30)
# A node's clock may be a little slow (a VM that was suspended, a drill on the clock).
BACKDATED = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True)
class Authority:
    """The lab's CA: issues and keeps certificates under `.lab/<name>/ca/`."""

    folder: Path
    certificate: str
    key: str

    def issue(self, name: str, *, names: Sequence[str]) -> Certificate:
        """The certificate called `name`, valid for `names` (host names or addresses).

        An earlier one is used again if it names the same hosts, comes from this CA and is valid
        for another 30 days, so that a second run changes nothing on the nodes.
        """
        kept = self._kept(name, names)
        if kept is not None:
            return kept
        issued = self.sign(names, days=LIFETIME.days)
        write_file(self.folder / f"{name}.key", issued.key, mode=0o600)
        write_file(self.folder / f"{name}.crt", issued.certificate)
        return issued

    def sign(self, names: Sequence[str], *, days: int) -> Certificate:
        """A new certificate that is valid for `days` from now and is not kept here.

        A negative number makes one that expired so many days ago.
        """
        ca_key = serialization.load_pem_private_key(self.key.encode(), None)
        assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
        issuer = x509.load_pem_x509_certificate(self.certificate.encode())
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(names[0], key.public_key(), days=days)
            .issuer_name(issuer.subject)
            .add_extension(x509.SubjectAlternativeName(_alt_names(names)), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                # Prosody also uses the certificate as the client of an s2s connection.
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
                critical=False,
            )
            .sign(ca_key, hashes.SHA256())
        )
        return Certificate(_pem(certificate), _key_pem(key))

    def _kept(self, name: str, names: Sequence[str]) -> Certificate | None:
        try:
            text = (self.folder / f"{name}.crt").read_text(encoding="ascii")
            key = (self.folder / f"{name}.key").read_text(encoding="ascii")
            found = x509.load_pem_x509_certificate(text.encode())
            alt = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            found.verify_directly_issued_by(
                x509.load_pem_x509_certificate(self.certificate.encode())
            )
        except (OSError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            return None
        fresh = found.not_valid_after_utc - dt.datetime.now(dt.UTC) > RENEW_BEFORE
        same = list(alt) == _alt_names(names)
        return Certificate(text, key) if fresh and same else None


def ensure_authority(workdir: Workdir, *, domain: str) -> Authority:
    """The lab's CA, made at the first call, and again if the lab's domain has changed.

    It can sign for the lab's own names only, so who trusts it, such as a browser for a course,
    trusts nobody with other names.  Errors: LabError if its files are damaged.
    """
    constraints = name_constraints(domain)
    crt, key_file = workdir.ca / "ca.crt", workdir.ca / "ca.key"
    if crt.is_file() and key_file.is_file():
        try:
            text, key_text = crt.read_text(encoding="ascii"), key_file.read_text(encoding="ascii")
            found = x509.load_pem_x509_certificate(text.encode())
            serialization.load_pem_private_key(key_text.encode(), None)
            kept = _constraints_of(found) == constraints
        except (OSError, ValueError) as error:
            raise LabError(
                f"The lab's CA in '{workdir.ca}' is damaged: {error}.",
                hint="Remove that folder; the next 'labctl up' makes a new CA and uses it.",
            ) from error
        if kept:
            return Authority(workdir.ca, text, key_text)
    key = ec.generate_private_key(ec.SECP256R1())
    name = f"labctl lab CA ({workdir.lab})"
    builder = _builder(name, key.public_key())
    certificate = (
        builder.issuer_name(_name(name))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_ca_usage(), critical=True)
        .add_extension(constraints, critical=True)
        .sign(key, hashes.SHA256())
    )
    text, key_text = _pem(certificate), _key_pem(key)
    write_file(key_file, key_text, mode=0o600)
    write_file(crt, text)
    return Authority(workdir.ca, text, key_text)


def name_constraints(domain: str) -> x509.NameConstraints:
    """What a lab's CA may sign for (RFC 5280, 4.2.1.10): its domain, the vnodes', and all below.

    Addresses are out of bounds, unless the domain is one.
    """
    permitted: list[x509.GeneralName] = [x509.DNSName(domain), x509.DNSName(VNODE_DOMAIN)]
    excluded: list[x509.GeneralName] = [x509.IPAddress(ipaddress.IPv6Network("::/0"))]
    try:
        permitted.append(x509.IPAddress(ipaddress.IPv4Network(domain)))
    except ValueError:
        excluded.append(x509.IPAddress(ipaddress.IPv4Network("0.0.0.0/0")))
    return x509.NameConstraints(permitted, excluded)


def _constraints_of(certificate: x509.Certificate) -> x509.NameConstraints | None:
    """The constraints of a CA; older labctls made it without."""
    try:
        return certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return None


def _builder(
    name: str, key: ec.EllipticCurvePublicKey, *, days: int = LIFETIME.days
) -> x509.CertificateBuilder:
    now, lifetime = dt.datetime.now(dt.UTC), dt.timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED + min(lifetime, dt.timedelta()))
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(text: str) -> x509.Name:
    # A common name has at most 64 characters; the names that matter are in the SAN.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _alt_names(names: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        found.append(x509.DNSName(name))
        try:
            found.append(x509.IPAddress(ipaddress.IPv4Address(name)))
        except ipaddress.AddressValueError:
            continue
    return found


def _ca_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode("ascii")
