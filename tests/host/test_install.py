"""What a machine must have, and what is done or said where it has not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labctl.core import privilege
from labctl.core.errors import LabError
from labctl.host import install as host
from labctl.host.install import missing_needs, packages_of, parse_version, read_version
from labctl.host.needs import PACKER_ELSEWHERE, Need
from labctl.images import apt
from labctl.providers.docker.needs import DOCKER
from labctl.providers.libvirt.needs import LIBVIRT
from labctl.providers.virtualbox.needs import VIRTUALBOX
from labctl.providers.vm.needs import DISKS

NEED = Need("nowhere-to-be-found", ("some-package",), "is needed by this test")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param("Docker version 20.10.24+dfsg1, build 297e128", "20.10.24+dfsg1", id="docker"),
        pytest.param("Vagrant 2.3.8.dev", "2.3.8.dev", id="vagrant"),
        pytest.param("Packer v1.6.6\n", "1.6.6", id="packer"),
        pytest.param("mmdebstrap 1.5.7", "1.5.7", id="mmdebstrap"),
        pytest.param("OpenSSH_9.2p1 Debian-2+deb12u6, OpenSSL 3.0.19", "9.2p1", id="ssh"),
        pytest.param("ip utility, iproute2-6.1.0, libbpf 1.1.2", "6.1.0", id="ip"),
        pytest.param("no number\nat all", "no number", id="none"),
    ],
)
def test_parse_version(text: str, version: str) -> None:
    assert parse_version(text) == version


def test_packages_are_named_once() -> None:
    needs = [Need("ssh", ("openssh-client",), ""), Need("ssh-keygen", ("openssh-client",), "")]
    assert packages_of(needs) == ["openssh-client"]


def test_madison_names_packages() -> None:
    text = "docker.io | 26.1.5 | mirror trixie/main amd64 Packages\nW: something else\n"
    assert apt.parse_madison(text) == {"docker.io"}


@pytest.mark.parametrize("needs", [DOCKER, LIBVIRT, VIRTUALBOX], ids=["docker", "libvirt", "vbox"])
def test_needs_are_whole(needs: tuple[Need, ...]) -> None:
    names = [need.name for need in needs]
    assert len(set(names)) == len(names)
    assert all(need.packages and need.why and not need.why.endswith(".") for need in needs)
    assert {"vagrant", "packer", "ssh", "ip", "mmdebstrap"} <= set(names)


def test_a_need_that_is_no_command_is_met_by_its_file(tmp_path: Path) -> None:
    need = Need("driver", ("some-package",), "", file=f"{tmp_path}/*/driver.so")
    assert missing_needs([need]) == (need,)
    (tmp_path / "x86_64").mkdir()
    (tmp_path / "x86_64" / "driver.so").touch()
    assert missing_needs([need]) == ()
    assert read_version(need) == str(tmp_path / "x86_64" / "driver.so")


def test_what_this_machine_does_not_need_is_not_missing() -> None:
    assert missing_needs([Need("nowhere-to-be-found", ("x",), "", when=lambda: False)]) == ()


def test_disks_are_made_the_same_for_both_hypervisors() -> None:
    assert set(DISKS) <= set(LIBVIRT) & set(VIRTUALBOX)


def test_nothing_missing_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # The fixture that forbids programs is what makes this a test.
    host.ensure_host([Need("sh", ("dash",), "")], progress=pytest.fail)


def test_without_apt_the_packages_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said: list[str] = []
    with pytest.raises(LabError, match="lacks 'nowhere-to-be-found'") as caught:
        host.ensure_host([NEED], progress=lambda phase, text, **_: said.append(text))
    assert caught.value.hint == "Install your system's packages for some-package."
    assert said == ["'nowhere-to-be-found' is missing: it is needed by this test."]


def write_program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder first in PATH; apt and sudo are whatever the test puts there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return folder


@pytest.mark.programs
def test_version_is_read_from_standard_error_too(programs: Path) -> None:
    write_program(programs, "tool", "echo tool 1.2.3 >&2")
    assert read_version(Need("tool", ("tool",), "")) == "1.2.3"


@pytest.mark.programs
def test_installing_updates_the_lists_once_and_verifies(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.delenv("DEBIAN_FRONTEND", raising=False)
    calls, lists = programs.parent / "calls", programs.parent / "lists"
    write_program(
        programs, "apt-cache", f"[ ! -e {lists} ] || echo 'some-package | 1.0 | somewhere'"
    )
    write_program(
        programs,
        "apt-get",
        f'echo "$1 $DEBIAN_FRONTEND" >> {calls}\n'
        # A third party's list that fails must not matter.
        f'[ "$1" != update ] || {{ touch {lists}; exit 100; }}\n'
        f"printf '#!/bin/sh\\necho 7.8.9\\n' > {programs}/nowhere-to-be-found\n"
        f"chmod +x {programs}/nowhere-to-be-found",
    )
    said: list[str] = []
    host.ensure_host([NEED], progress=lambda phase, text, **_: said.append(text))
    assert calls.read_text().splitlines() == ["update ", "install noninteractive"]
    assert said[-1] == "'nowhere-to-be-found' is installed: 7.8.9."


@pytest.mark.programs
def test_package_that_apt_does_not_have_comes_with_advice(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need = Need("nowhere-to-be-found", ("some-package",), "", elsewhere="Ask its maker.")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    write_program(programs, "apt-cache", "exit 0")
    write_program(programs, "apt-get", "exit 0")
    with pytest.raises(LabError, match="no package 'some-package'") as caught:
        host.ensure_host([need], progress=lambda phase, text, **_: None)
    assert caught.value.hint == "Ask its maker."


@pytest.mark.programs
@pytest.mark.parametrize(
    ("sudo", "works"), [("exit 1", False), ('shift; exec "$@"', True)], ids=["refused", "free"]
)
def test_root_by_sudo_or_the_command_to_type(
    programs: Path, monkeypatch: pytest.MonkeyPatch, sudo: str, works: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("sys.stdin", None)
    write_program(programs, "sudo", sudo)
    write_program(programs, "tool", f'echo "$SETTING $1" > {programs}/did')
    command, env = ["tool", "two words"], {"SETTING": "set"}
    if works:
        assert privilege.run_as_root(command, what="It", env=env) == 0
        assert (programs / "did").read_text() == "set two words\n"
        return
    with pytest.raises(LabError, match="It needs root") as caught:
        privilege.run_as_root(command, what="It", env=env)
    assert caught.value.hint == "Run as root: env SETTING=set tool 'two words'"
    assert not (programs / "did").exists()


def test_install_line_can_be_pasted() -> None:
    assert apt.install_line(["a", "b"]) == (
        "apt-get update && apt-get install -y --no-install-recommends a b"
    )


@pytest.mark.parametrize(
    ("release", "start", "end"),
    [
        pytest.param("bookworm", "apt-get update && ", "docker.io packer", id="12"),
        pytest.param("trixie", "apt-get update && ", "packer/install.", id="13"),
    ],
)
def test_hint_names_what_the_release_has(
    monkeypatch: pytest.MonkeyPatch, release: str, start: str, end: str
) -> None:
    fields = {"ID": "debian", "VERSION_CODENAME": release}
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: fields)
    needs = [
        Need("docker", ("docker.io", "docker-cli"), ""),
        Need("packer", ("packer",), "", elsewhere=PACKER_ELSEWHERE),
    ]
    hint = host.install_hint(needs)
    assert hint.startswith(start)
    assert hint.endswith(end)
    assert ("docker-cli" in hint) is (release == "trixie")


@pytest.mark.programs
def test_without_root_one_command_for_everything(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("sys.stdin", None)
    write_program(programs, "sudo", "exit 1")
    write_program(programs, "apt-get", "exit 99")
    with pytest.raises(LabError, match="installing needs root") as caught:
        host.ensure_host([NEED], progress=lambda phase, text, **_: None)
    assert caught.value.hint == (
        "Run as root: apt-get update && apt-get install -y --no-install-recommends some-package"
    )
