"""Debian 12, Debian 13, Ubuntu 22.04 and 24.04 as hosts: decided from recorded files.

`recorded/*.os-release` are these releases' own files: Debian's from machines and images of this
project, Ubuntu's from public reports.  `recorded/*.madison` is what `apt-cache madison` of Debian
12 and 13 said of every package that labctl may install.  Of Ubuntu there is no whole list; what is
known is in `KNOWN`, with its source.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from labctl.browser.needs import BROWSER
from labctl.core.errors import LabError
from labctl.e2e.needs import WEBDRIVER
from labctl.host import install
from labctl.host.install import install_hint, packages_of
from labctl.host.needs import Need
from labctl.host.releases import HostRelease, Supplier, parse_release, supplier_of, this_release
from labctl.images import apt, hashicorp
from labctl.images.apt import parse_madison
from labctl.images.debian import MIRROR, load_mirror
from labctl.images.hashicorp import install_from_vendor, render_vendor_source
from labctl.providers.docker.needs import DOCKER
from labctl.providers.libvirt.needs import LIBVIRT
from labctl.providers.vm.needs import DISK_IMAGES
from tests.repository import Signer, build_deb, served

RECORDED = Path(__file__).parent / "recorded"
NAMES = ("debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04")

KNOWN = {
    # vaggeliskls/windows-in-docker-container#5 (vagrant 2.2.19), eclipse-ecal/ecal#945 (Python).
    "ubuntu-22.04": {"vagrant", "docker.io", "mmdebstrap", "uidmap", "openssh-client", "iproute2"},
    # zulip/zulip#32837 and slackhq/nebula#1311: there is no vagrant.
    "ubuntu-24.04": {"docker.io", "mmdebstrap", "uidmap", "openssh-client", "iproute2"},
}


def release(name: str) -> HostRelease:
    return parse_release((RECORDED / f"{name}.os-release").read_text(encoding="utf-8"))


def known(name: str) -> set[str]:
    """Names of packages that apt can install on a release."""
    path = RECORDED / f"{name}.madison"
    return parse_madison(path.read_text(encoding="utf-8")) if path.is_file() else KNOWN[name]


def suppliers(name: str, needs: Iterable[Need]) -> dict[str, Supplier]:
    return {
        need.name: supplier_of(need, release(name), known=known(name), machine="x86_64")
        for need in needs
    }


@pytest.mark.parametrize(
    ("name", "family", "codename"),
    [
        ("debian-12", "debian", "bookworm"),
        ("debian-13", "debian", "trixie"),
        ("ubuntu-22.04", "ubuntu", "jammy"),
        ("ubuntu-24.04", "ubuntu", "noble"),
    ],
)
def test_releases_are_recognised(name: str, family: str, codename: str) -> None:
    found = release(name)
    assert (found.family, found.codename) == (family, codename)
    assert found.version == name.partition("-")[2] and found.name.startswith(family.title())


@pytest.mark.parametrize(
    ("text", "family", "codename"),
    [
        pytest.param(
            'ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="22"\nUBUNTU_CODENAME=noble\n',
            "ubuntu", "noble", id="Linux Mint",
        ),
        pytest.param(
            'ID=linuxmint\nID_LIKE=debian\nVERSION_ID="6"\nDEBIAN_CODENAME=bookworm\n',
            "debian", "bookworm", id="Linux Mint on Debian",
        ),
        pytest.param(
            'ID=kali\nID_LIKE=debian\nVERSION_CODENAME=kali-rolling\n', "debian", "", id="Kali"
        ),
        pytest.param('# a comment\nID=fedora\nVERSION_ID=42\n', "fedora", "", id="Fedora"),
        pytest.param("", "", "", id="nothing"),
    ],
)  # fmt: skip
def test_a_derivative_counts_as_its_base(text: str, family: str, codename: str) -> None:
    found = parse_release(text)
    assert (found.family, found.codename) == (family, codename)


@pytest.mark.parametrize("name", ["debian-12", "debian-13"])
def test_debian_has_all_but_what_the_table_says(name: str) -> None:
    """The table against the recorded lists, in both directions."""
    wanted = set(packages_of((*DOCKER, *LIBVIRT, *DISK_IMAGES, *BROWSER, *WEBDRIVER)))
    assert wanted - known(name) == release(name).lacks - {"virtualbox"}


@pytest.mark.parametrize(
    ("name", "vagrant", "packer"),
    [
        ("debian-12", Supplier.OWN, Supplier.OWN),
        ("debian-13", Supplier.OWN, Supplier.BORROWED),
        ("ubuntu-22.04", Supplier.OWN, Supplier.VENDOR),
        ("ubuntu-24.04", Supplier.VENDOR, Supplier.VENDOR),
    ],
)
def test_where_vagrant_and_packer_come_from(name: str, vagrant: Supplier, packer: Supplier) -> None:
    found = suppliers(name, DOCKER)
    assert (found["vagrant"], found["packer"]) == (vagrant, packer)
    # All else that containers need is the release's own.
    rest = {it for need, it in found.items() if need not in ("vagrant", "packer")}
    assert rest <= {Supplier.OWN} if name.startswith("debian") else Supplier.OWN in rest


@pytest.mark.parametrize("name", ["debian-12", "debian-13"])
def test_debian_has_what_virtual_machines_need(name: str) -> None:
    assert set(suppliers(name, LIBVIRT).values()) <= {Supplier.OWN, Supplier.BORROWED}


def test_what_is_nowhere_has_advice() -> None:
    [need] = [need for need in LIBVIRT if need.name == "vagrant-libvirt"]
    assert suppliers("ubuntu-24.04", [need]) == {"vagrant-libvirt": Supplier.NOWHERE}
    assert "'--provider docker'" in (need.elsewhere or "")
    arm = supplier_of(DOCKER[-1], release("ubuntu-24.04"), known=(), machine="aarch64")
    assert arm is Supplier.NOWHERE


@pytest.mark.parametrize(
    ("name", "command", "advice"),
    [
        ("debian-12", "docker.io vagrant packer mmdebstrap", ""),
        ("debian-13", "docker.io docker-cli vagrant mmdebstrap", "packer/install"),
        ("ubuntu-22.04", "docker.io vagrant mmdebstrap", "packer/install"),
        ("ubuntu-24.04", "docker.io mmdebstrap", "vagrant/install"),
    ],
)
def test_the_command_for_people_has_only_what_the_release_has(
    name: str, command: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "this_release", lambda: release(name))
    wanted = ("docker", "vagrant", "packer", "mmdebstrap")
    hint = install_hint([need for need in DOCKER if need.name in wanted])
    line, _, rest = hint.partition(". ")
    assert line.endswith(f"--no-install-recommends {command}") and advice in rest


def test_this_machine_is_of_a_known_kind() -> None:
    assert this_release().name


def test_images_of_debian_can_be_made_where_apt_has_no_debian(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labctl.images.debian.read_settings", lambda: {})
    (tmp_path / "sources.list").write_text(
        "deb http://mirror.example/ubuntu noble main universe\n", encoding="utf-8"
    )
    with pytest.raises(LabError, match="no entry for Debian itself") as caught:
        load_mirror(tmp_path)
    assert MIRROR in (caught.value.hint or "")
    monkeypatch.setenv(MIRROR, "http://mirror.example/debian/")
    assert load_mirror(tmp_path).main == "http://mirror.example/debian"


# -- HashiCorp's repository: a signed one of the same shape on loopback -------------------------


def publish(root: Path, deb: Path, signer: Signer, *, suite: str) -> None:
    """A repository with one suite, one component and one package."""
    pool, index = root / "pool", root / "dists" / suite / "main" / "binary-amd64"
    for folder in (pool, index):
        folder.mkdir(parents=True)
    data = deb.read_bytes()
    (pool / deb.name).write_bytes(data)
    name = deb.name.partition("_")[0]
    packages = (
        f"Package: {name}\nVersion: 2.4.9-1\nArchitecture: amd64\n"
        "Maintainer: Nobody <nobody@example.invalid>\nDescription: test\n"
        f"Filename: pool/{deb.name}\nSize: {len(data)}\n"
        f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
    ).encode()
    (index / "Packages").write_bytes(packages)
    inside = f"{hashlib.sha256(packages).hexdigest()} {len(packages)} main/binary-amd64/Packages"
    text = (
        f"Suite: {suite}\nCodename: {suite}\nArchitectures: amd64\nComponents: main\n"
        f"Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n {inside}\n"
    )
    (index.parents[1] / "InRelease").write_bytes(signer.clear_sign(text.encode()))
    (root / "gpg").write_bytes(signer.public())


@pytest.fixture
def vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A repository of HashiCorp's shape with Vagrant for noble; the names that get installed."""
    if platform.machine() != "x86_64":
        pytest.skip("the packages of this repository are for x86_64")
    signer = Signer.make(tmp_path / "key")
    (tmp_path / "debs").mkdir()
    deb = build_deb(tmp_path / "debs", "vagrant", version="2.4.9-1", architecture="amd64")
    publish(tmp_path / "root", deb, signer, suite="noble")
    installed: list[str] = []
    monkeypatch.setattr(apt, "install", lambda paths: installed.extend(it.name for it in paths))
    monkeypatch.setattr(hashicorp, "KEY", signer.fingerprint)
    with served(tmp_path / "root") as address:
        monkeypatch.setattr(hashicorp, "REPOSITORY", address)
        yield installed
    signer.stop()


@pytest.mark.programs
@pytest.mark.sockets
def test_vagrant_is_taken_from_its_vendor(vendor: list[str]) -> None:
    install_from_vendor("vagrant", suite="noble")
    assert vendor == ["vagrant_2.4.9-1_amd64.deb"]


@pytest.mark.programs
@pytest.mark.sockets
def test_another_key_is_not_trusted(vendor: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashicorp, "KEY", "0" * 40)
    with pytest.raises(LabError):
        install_from_vendor("vagrant", suite="noble")
    assert vendor == []


@pytest.mark.programs
@pytest.mark.sockets
def test_a_repository_that_does_not_answer_is_named(
    vendor: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashicorp, "REPOSITORY", "http://127.0.0.1:9")
    with pytest.raises(LabError, match="HashiCorp's repository does not answer"):
        install_from_vendor("vagrant", suite="noble")


def test_the_repository_is_trusted_by_its_key_alone() -> None:
    text = render_vendor_source("noble", keyring=Path("/x/key.gpg"))
    assert "Suites: noble\nComponents: main\nSigned-By: /x/key.gpg\n" in text
