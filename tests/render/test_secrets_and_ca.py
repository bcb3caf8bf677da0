"""Secrets and certificates are made once and used again; nobody else may read them."""

import os
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from OpenSSL import crypto

from labctl.core.errors import LabError
from labctl.render.ca import Authority, ensure_authority
from labctl.render.nodes import certificate_names
from labctl.render.secrets import ensure_secrets, save_secrets
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir


@pytest.fixture
def workdir(tmp_path: Path) -> Workdir:
    return Workdir(tmp_path / "demo")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_kept_and_private(workdir: Workdir) -> None:
    first = ensure_secrets(workdir, vnodes=["v1"])
    again = ensure_secrets(workdir, vnodes=["v1"])
    assert again == first
    assert mode(workdir.secrets_file) == 0o600
    assert len({first.focus_password, first.jvb_password, first.vnode_passwords["v1"]}) == 3


def test_a_new_vnode_gets_a_password_and_the_others_keep_theirs(workdir: Workdir) -> None:
    first = ensure_secrets(workdir, vnodes=["v1"])
    more = ensure_secrets(workdir, vnodes=["v1", "v2"])
    assert more.vnode_passwords["v1"] == first.vnode_passwords["v1"]
    assert more.salts["focus/v1"] == first.salts["focus/v1"]
    assert set(more.salts) == {"focus", "jvb", "host", "focus/v1", "focus/v2"}


def test_secrets_do_not_show_in_their_text(workdir: Workdir) -> None:
    secrets = ensure_secrets(workdir, vnodes=["v1"])
    assert secrets.focus_password not in repr(secrets)


def test_damaged_secrets_say_what_to_do(workdir: Workdir) -> None:
    ensure_secrets(workdir, vnodes=[])
    workdir.secrets_file.write_text("{", encoding="utf-8")
    with pytest.raises(LabError, match="is damaged"):
        ensure_secrets(workdir, vnodes=[])


def test_a_rotation_keeps_what_it_replaces_and_does_not_replace_that_again(
    workdir: Workdir,
) -> None:
    """Or the value between would be nowhere known, although a node may have it."""
    first = ensure_secrets(workdir, vnodes=["v1"])
    once = first.rotated(["jvb", "focus/v1"], now=7)
    assert once.retired == {"jvb": first.jvb_password, "focus/v1": first.vnode_passwords["v1"]}
    assert once.jvb_password != first.jvb_password and once.salts["jvb"] != first.salts["jvb"]
    assert (once.turn_secret, once.salts["focus"]) == (first.turn_secret, first.salts["focus"])
    twice = once.rotated(["jvb", "turn"], now=8)
    assert twice.jvb_password == once.jvb_password and twice.made["jvb"] == 7
    assert twice.retired == {**once.retired, "turn": first.turn_secret}


def test_secrets_of_an_older_labctl_are_as_old_as_their_file(workdir: Workdir) -> None:
    made = ensure_secrets(workdir, vnodes=["v1"])
    save_secrets(workdir, replace(made, made={}))
    os.utime(workdir.secrets_file, (1000, 1000))
    again = ensure_secrets(workdir, vnodes=["v1", "v2"])
    assert again.made["jvb"] == 1000 < again.made["focus/v2"]


def test_a_certificate_names_its_hosts_and_comes_from_the_ca(workdir: Workdir) -> None:
    authority = ensure_authority(workdir, domain="a.b")
    issued = authority.issue("meet", names=["meet.lab.internal", "192.168.56.105"])
    found = x509.load_pem_x509_certificate(issued.certificate.encode())
    found.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate.encode()))
    alt = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alt.get_values_for_type(x509.DNSName) == ["meet.lab.internal", "192.168.56.105"]
    assert [str(ip) for ip in alt.get_values_for_type(x509.IPAddress)] == ["192.168.56.105"]
    assert mode(workdir.ca / "ca.key") == mode(workdir.ca / "meet.key") == 0o600


def test_certificates_are_used_again_until_their_names_or_the_ca_change(workdir: Workdir) -> None:
    first = ensure_authority(workdir, domain="a.b").issue("meet", names=["a.b"])
    assert ensure_authority(workdir, domain="a.b").issue("meet", names=["a.b"]) == first
    renamed = ensure_authority(workdir, domain="a.b").issue("meet", names=["a.b", "c.d"])
    assert renamed != first
    (workdir.ca / "ca.crt").unlink()
    assert ensure_authority(workdir, domain="a.b").issue("meet", names=["a.b", "c.d"]) != renamed


def test_a_damaged_ca_says_what_to_do(workdir: Workdir) -> None:
    ensure_authority(workdir, domain="a.b")
    (workdir.ca / "ca.crt").write_text("nonsense", encoding="ascii")
    with pytest.raises(LabError, match="is damaged"):
        ensure_authority(workdir, domain="a.b")


def refusal(authority: Authority, *names: str) -> str:
    """What OpenSSL says of a certificate of this CA; empty if it trusts it."""
    issued = authority.issue("it", names=names)
    store = crypto.X509Store()
    store.add_cert(crypto.load_certificate(crypto.FILETYPE_PEM, authority.certificate.encode()))
    leaf = crypto.load_certificate(crypto.FILETYPE_PEM, issued.certificate.encode())
    try:
        crypto.X509StoreContext(store, leaf).verify_certificate()
    except crypto.X509StoreContextError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("domain", ["meet.lab.internal", "192.168.56.105"])
def test_the_ca_is_trusted_for_the_labs_names_only(workdir: Workdir, domain: str) -> None:
    authority = ensure_authority(workdir, domain=domain)
    for names in certificate_names(resolve(Spec(domain=domain, visitors=2))).values():
        assert refusal(authority, *names) == ""
    for name in ("bank.example", "lab.internal", f"x{domain}", "192.168.56.1"):
        assert "permitted subtree violation" in refusal(authority, name) or (
            "excluded subtree violation" in refusal(authority, name)
        ), name


def test_a_ca_of_an_older_labctl_or_another_domain_is_made_again(workdir: Workdir) -> None:
    first = ensure_authority(workdir, domain="a.b")
    assert ensure_authority(workdir, domain="a.b") == first
    second = ensure_authority(workdir, domain="c.d")
    assert second.certificate != first.certificate
    assert refusal(second, "c.d") == ""


def test_a_certificate_can_be_signed_that_has_expired(workdir: Workdir) -> None:
    authority = ensure_authority(workdir, domain="one.example")
    issued = authority.sign(["one.example"], days=-3)
    found = x509.load_pem_x509_certificate(issued.certificate.encode())
    found.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate.encode()))
    assert found.not_valid_before_utc < found.not_valid_after_utc < datetime.now(UTC)
    assert sorted(path.name for path in workdir.ca.iterdir()) == ["ca.crt", "ca.key"]
