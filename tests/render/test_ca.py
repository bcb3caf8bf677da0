"""What is in the CA and in its certificates, how long they are valid, and when they are renewed."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from labctl.core.errors import LabError
from labctl.render.ca import (
    BACKDATED,
    LIFETIME,
    RENEW_BEFORE,
    Authority,
    Certificate,
    ensure_authority,
    name_constraints,
)
from labctl.topology.workdir import Workdir

NAMES = ["meet.lab.internal", "192.168.56.105"]


@pytest.fixture
def workdir(tmp_path: Path) -> Workdir:
    return Workdir(tmp_path / "demo")


@pytest.fixture
def authority(workdir: Workdir) -> Authority:
    return ensure_authority(workdir, domain="lab.internal")


def load(text: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(text.encode())


def common_name(name: x509.Name) -> str | bytes:
    [found] = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return found.value


def about(moment: datetime, expected: timedelta) -> bool:
    """Whether a moment is so far from now; tests take no minute."""
    return abs(moment - datetime.now(UTC) - expected) < timedelta(minutes=1)


def test_the_ca_names_its_lab_and_signs_itself(authority: Authority) -> None:
    ca = load(authority.certificate)
    assert common_name(ca.subject) == "labctl lab CA (demo)"
    ca.verify_directly_issued_by(ca)
    assert isinstance(ca.signature_hash_algorithm, hashes.SHA256)
    assert about(ca.not_valid_before_utc, -BACKDATED), "a node's clock may be a little slow"
    assert about(ca.not_valid_after_utc, LIFETIME)


def test_the_ca_may_sign_certificates_and_no_other_ca(authority: Authority) -> None:
    ca = load(authority.certificate)
    basic = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.value.ca, basic.value.path_length, basic.critical) == (True, 0, True)
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.key_cert_sign and usage.value.crl_sign
    other = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement")  # fmt: skip
    assert not any(getattr(usage.value, name) for name in other)
    limits = ca.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical and limits.value == name_constraints("lab.internal")


def test_names_outside_the_lab_and_addresses_are_excluded() -> None:
    limits = name_constraints("lab.internal")
    assert limits.permitted_subtrees is not None and limits.excluded_subtrees is not None
    assert [one.value for one in limits.permitted_subtrees] == ["lab.internal", "meet.jitsi"]
    assert {str(one.value) for one in limits.excluded_subtrees} == {"::/0", "0.0.0.0/0"}


def test_a_domain_that_is_an_address_permits_that_address_alone() -> None:
    limits = name_constraints("192.168.56.105")
    assert limits.permitted_subtrees is not None and limits.excluded_subtrees is not None
    assert str(limits.permitted_subtrees[-1].value) == "192.168.56.105/32"
    assert [str(one.value) for one in limits.excluded_subtrees] == ["::/0"]


def test_a_certificate_is_for_servers_and_for_clients_and_no_ca(authority: Authority) -> None:
    found = load(authority.issue("meet", names=NAMES).certificate)
    basic = found.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.value.ca, basic.value.path_length, basic.critical) == (False, None, True)
    usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert list(usage.value) == [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not usage.critical
    assert not found.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical


def test_a_certificate_points_to_its_ca(authority: Authority) -> None:
    ca, found = load(authority.certificate), load(authority.issue("m", names=NAMES).certificate)
    assert found.issuer == ca.subject
    issuer = found.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    own = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert issuer.value.key_identifier == own.value.digest
    subject = found.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert not any(one.critical for one in (issuer, own, subject))
    assert isinstance(found.signature_hash_algorithm, hashes.SHA256)


def test_a_key_is_that_of_its_certificate_and_needs_no_passphrase(authority: Authority) -> None:
    issued = authority.issue("meet", names=NAMES)
    assert issued.key.startswith("-----BEGIN PRIVATE KEY-----\n"), "PKCS #8, as all programs read"
    key = serialization.load_pem_private_key(issued.key.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1"
    assert key.public_key() == load(issued.certificate).public_key()


@pytest.mark.parametrize("length", [64, 65])
def test_a_subject_has_at_most_64_characters(authority: Authority, length: int) -> None:
    name = "x" * (length - len(".lab.internal")) + ".lab.internal"
    found = load(authority.issue("long", names=[name, "other"]).certificate)
    assert common_name(found.subject) == name[:64]
    alt = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alt.get_values_for_type(x509.DNSName) == [name, "other"]


def test_what_was_issued_is_kept_in_files_that_others_may_read_but_not_the_key(
    authority: Authority,
) -> None:
    issued = authority.issue("meet", names=NAMES)
    certificate, key = authority.folder / "meet.crt", authority.folder / "meet.key"
    assert Certificate(certificate.read_text(), key.read_text()) == issued
    assert [path.stat().st_mode & 0o777 for path in (certificate, key)] == [0o644, 0o600]


def test_the_ca_is_kept_in_files_that_others_may_read_but_not_the_key(authority: Authority) -> None:
    certificate, key = authority.folder / "ca.crt", authority.folder / "ca.key"
    assert (certificate.read_text(), key.read_text()) == (authority.certificate, authority.key)
    assert [path.stat().st_mode & 0o777 for path in (certificate, key)] == [0o644, 0o600]


@pytest.mark.parametrize("days", [1, 30, 825])
def test_a_certificate_is_valid_for_so_many_days_from_now(authority: Authority, days: int) -> None:
    found = load(authority.sign(NAMES, days=days).certificate)
    assert about(found.not_valid_before_utc, -BACKDATED)
    assert about(found.not_valid_after_utc, timedelta(days=days))


def test_the_time_zone_of_this_machine_does_not_matter(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Etc/GMT+5")
        time.tzset()
        found = load(authority.sign(NAMES, days=1).certificate)
    time.tzset()
    assert about(found.not_valid_after_utc, timedelta(days=1))


def test_an_expired_certificate_was_valid_for_a_day(authority: Authority) -> None:
    found = load(authority.sign(NAMES, days=-3).certificate)
    assert about(found.not_valid_after_utc, timedelta(days=-3))
    assert about(found.not_valid_before_utc, timedelta(days=-3) - BACKDATED)


def test_what_is_issued_is_valid_for_its_whole_lifetime(authority: Authority) -> None:
    found = load(authority.issue("meet", names=NAMES).certificate)
    assert about(found.not_valid_after_utc, LIFETIME)


def keep(authority: Authority, certificate: Certificate) -> None:
    """As if it had been issued before, under the name 'meet'."""
    (authority.folder / "meet.crt").write_text(certificate.certificate, encoding="ascii")
    (authority.folder / "meet.key").write_text(certificate.key, encoding="ascii")


@pytest.mark.parametrize(("more", "used"), [(0, False), (1, True)])
def test_a_certificate_is_renewed_30_days_before_its_end(
    authority: Authority, more: int, used: bool
) -> None:
    earlier = authority.sign(NAMES, days=RENEW_BEFORE.days + more)
    keep(authority, earlier)
    assert (authority.issue("meet", names=NAMES) == earlier) is used


@pytest.mark.parametrize("lost", ["meet.crt", "meet.key"])
def test_half_of_a_certificate_is_made_again(authority: Authority, lost: str) -> None:
    earlier = authority.issue("meet", names=NAMES)
    (authority.folder / lost).unlink()
    assert authority.issue("meet", names=NAMES) != earlier
    assert (authority.folder / lost).is_file()


def test_a_damaged_certificate_is_made_again(authority: Authority) -> None:
    keep(authority, Certificate("nonsense", "nonsense"))
    assert load(authority.issue("meet", names=NAMES).certificate)


def test_a_certificate_for_no_names_is_made_again(authority: Authority) -> None:
    keep(authority, Certificate(authority.certificate, authority.key))
    assert authority.issue("meet", names=NAMES).certificate != authority.certificate


def test_a_certificate_of_another_ca_is_made_again(authority: Authority, tmp_path: Path) -> None:
    other = ensure_authority(Workdir(tmp_path / "other"), domain="lab.internal")
    earlier = other.sign(NAMES, days=825)
    keep(authority, earlier)
    issued = authority.issue("meet", names=NAMES)
    assert issued != earlier
    load(issued.certificate).verify_directly_issued_by(load(authority.certificate))


@pytest.mark.parametrize("lost", ["ca.crt", "ca.key"])
def test_half_of_a_ca_is_made_again(workdir: Workdir, lost: str) -> None:
    first = ensure_authority(workdir, domain="lab.internal")
    (workdir.ca / lost).unlink()
    assert ensure_authority(workdir, domain="lab.internal").key != first.key


@pytest.mark.parametrize("damaged", ["ca.crt", "ca.key"])
def test_a_damaged_ca_is_told_with_its_folder_and_kept(workdir: Workdir, damaged: str) -> None:
    ensure_authority(workdir, domain="lab.internal")
    (workdir.ca / damaged).write_text("nonsense", encoding="ascii")
    with pytest.raises(LabError) as caught:
        ensure_authority(workdir, domain="lab.internal")
    assert caught.value.message.startswith(f"The lab's CA in '{workdir.ca}' is damaged: ")
    assert caught.value.hint is not None and "Remove that folder" in caught.value.hint
    assert isinstance(caught.value.__cause__, ValueError)
    assert (workdir.ca / damaged).read_text() == "nonsense"
