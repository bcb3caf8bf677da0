"""Where Jitsi's packages come from, good days and bad ones.  Packages are really built."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from socket import create_server

import pytest

from labctl.core.errors import LabError, PackageError
from labctl.images.debs import control_field, load_debs, write_repository
from labctl.images.jitsi import Repository, check_jitsi, fetch_problem
from labctl.images.packages import MAIN_PACKAGES, PackageOrigin, PackageSet, resolve
from labctl.images.standins import build_standins, hash_tree
from labctl.topology.spec import Packages, PackageSource, Role
from tests.repository import Signer, build_deb, publish, served

pytestmark = pytest.mark.programs

SILENT = "http://127.0.0.1:9"
"""Nothing listens on the discard port."""

needs_apt = pytest.mark.skipif(
    shutil.which("apt-get") is None or shutil.which("gpg") is None, reason="needs apt and gpg"
)
needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "debs"
    path.mkdir()
    return path


@pytest.fixture
def standins(tmp_path: Path) -> Path:
    """A builder of stand-ins that counts its calls."""
    source, ready = tmp_path / "standins", tmp_path / "ready"
    source.mkdir()
    ready.mkdir()
    for name in MAIN_PACKAGES:
        build_deb(ready, name, version="0~standin1")
    script = source / "build"
    script.write_text(f'#!/bin/sh\necho x >> {tmp_path}/calls\ncp {ready}/*.deb "$1"\n')
    script.chmod(0o755)
    return source


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    found = Signer.make(tmp_path_factory.mktemp("gnupg") / "own")
    yield found
    found.stop()


@pytest.fixture(scope="module")
def web(signer: Signer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a repository with two versions of everything, newest not last."""
    root = tmp_path_factory.mktemp("web")
    scratch = tmp_path_factory.mktemp("built")
    versions = ("1.0-1196-1", "1.0-1200-1", "1.0-1190-1")
    debs = [
        build_deb(scratch, name, version=version) for name in MAIN_PACKAGES for version in versions
    ]
    publish(root, debs, signer)
    return root


@pytest.fixture
def jitsi(web: Path, signer: Signer) -> Iterator[Packages]:
    """Packages of a repository that answers, by the key that signs it."""
    with served(web) as uri:
        yield Packages(source=PackageSource.JITSI, repository=uri, key=signer.fingerprint)


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[str]:
    """The address of a web server that looks like Jitsi's repository at the first glance."""
    root = tmp_path / "web"
    (root / "stable").mkdir(parents=True)
    (root / "stable" / "InRelease").write_text("-----BEGIN PGP SIGNED MESSAGE-----\n")
    (root / "testing").mkdir()
    (root / "testing" / "InRelease").write_text("<html>Please log in to the hotel</html>\n")
    with served(root) as uri:
        yield uri


def origins(found: PackageSet) -> dict[str, PackageOrigin]:
    return {item.name: item.origin for item in found.packages}


# --- folders of .deb files


@needs_dpkg
def test_folder_is_read_and_becomes_a_repository(folder: Path, tmp_path: Path) -> None:
    build_deb(folder, "jicofo", version="1.0-1196-1")
    build_deb(folder, "jitsi-meet-tokens")
    debs = load_debs(folder, architecture="amd64").debs
    assert [(deb.name, deb.version) for deb in debs] == [
        ("jicofo", "1.0-1196-1"),
        ("jitsi-meet-tokens", "1.0-1"),
    ]
    write_repository(tmp_path / "repository", debs)
    index = (tmp_path / "repository" / "Packages").read_text()
    stanzas = index.strip().split("\n\n")
    assert control_field(stanzas[0], "Filename") == "./jicofo_1.0-1196-1_all.deb"
    assert control_field(stanzas[0], "SHA256") == debs[0].sha256
    assert f"{len(index)} Packages" in (tmp_path / "repository" / "Release").read_text()


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="does not exist"):
        load_debs(tmp_path / "nowhere", architecture="amd64")


def test_empty_folder(folder: Path) -> None:
    with pytest.raises(LabError, match=r"has no \.deb files"):
        load_debs(folder, architecture="amd64")


@needs_dpkg
def test_all_unreadable_files_are_named(folder: Path) -> None:
    build_deb(folder, "jicofo")
    (folder / "half.deb").write_bytes((folder / "jicofo_1.0-1_all.deb").read_bytes()[:100])
    (folder / "page.deb").write_text("<html>404</html>")
    with pytest.raises(LabError) as caught:
        load_debs(folder, architecture="amd64")
    assert caught.value.message.splitlines()[1:] == [
        "    'half.deb': it is cut off after byte 100, in a member's header",
        "    'page.deb': it does not start like a package",
    ]


@needs_dpkg
def test_a_file_that_is_cut_off_says_where(folder: Path) -> None:
    build_deb(folder, "jicofo")
    whole = (folder / "jicofo_1.0-1_all.deb").read_bytes()
    (folder / "jicofo_1.0-1_all.deb").write_bytes(whole[:-20])
    with pytest.raises(LabError) as caught:
        load_debs(folder, architecture="amd64")
    # The last member may be filled up to an even length.
    [line] = caught.value.message.splitlines()[1:]
    assert re.fullmatch(
        rf"    'jicofo_1\.0-1_all\.deb': it is cut off after byte {len(whole) - 20}: "
        rf"'data\.tar\.\w+' should end at byte ({len(whole)}|{len(whole) - 1})",
        line,
    )


@needs_dpkg
def test_folders_in_the_folder_count_and_what_macos_adds_does_not(folder: Path) -> None:
    (folder / "artifacts" / "jvb").mkdir(parents=True)
    build_deb(folder / "artifacts", "jicofo")
    build_deb(folder / "artifacts" / "jvb", "jitsi-videobridge2")
    (folder / "._jicofo_1.0-1_all.deb").write_bytes(b"\0\5\x16\7")
    debs = load_debs(folder, architecture="amd64").debs
    assert [deb.name for deb in debs] == ["jicofo", "jitsi-videobridge2"]


@needs_dpkg
def test_other_architecture(folder: Path) -> None:
    build_deb(folder, "jicofo", architecture="arm64")
    assert load_debs(folder, architecture="arm64")
    with pytest.raises(LabError, match=r"architecture 'amd64': 'jicofo_1\.0-1_arm64\.deb'"):
        load_debs(folder, architecture="amd64")


@needs_dpkg
def test_of_two_versions_the_newest_is_taken_and_said(folder: Path) -> None:
    for version in ("1.0-9", "1.0-10", "1.0-10~rc1"):
        build_deb(folder, "jicofo", version=version)
    (folder / "copy").mkdir()
    build_deb(folder / "copy", "jicofo", version="1.0-10")
    found = load_debs(folder, architecture="amd64")
    assert [(deb.name, deb.version) for deb in found.debs] == [("jicofo", "1.0-10")]
    assert found.notes == ("'jicofo' has several versions: 1.0-10 is used, not 1.0-10~rc1, 1.0-9.",)


# --- stand-ins


@needs_dpkg
def test_standins_are_built_once_per_content(standins: Path, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    first = build_standins(tmp_path / "cache", standins=standins)
    assert build_standins(tmp_path / "cache", standins=standins) == first
    assert calls.read_text() == "x\n"
    (standins / "new").write_text("changed")
    build_standins(tmp_path / "cache", standins=standins)
    assert calls.read_text() == "x\nx\n"


@needs_dpkg
def test_failed_build_leaves_nothing(standins: Path, tmp_path: Path) -> None:
    (standins / "build").write_text('#!/bin/sh\ntouch "$1/half.deb"\necho broken >&2\nexit 3\n')
    with pytest.raises(LabError, match="broken"):
        build_standins(tmp_path / "cache", standins=standins)
    assert list((tmp_path / "cache" / "standins").iterdir()) == []


@needs_dpkg
def test_incomplete_standins_are_an_error(standins: Path, tmp_path: Path) -> None:
    (tmp_path / "ready" / "jicofo_0~standin1_all.deb").unlink()
    with pytest.raises(LabError, match="does not build jicofo"):
        resolve(
            Packages(source=PackageSource.STAND_INS), cache=tmp_path / "cache", standins=standins
        )


def test_hash_of_a_tree_sees_names_contents_and_modes(tmp_path: Path) -> None:
    file = tmp_path / "a"
    seen = set()
    for text, mode, name in [("1", 0o644, "a"), ("2", 0o644, "a"), ("2", 0o755, "a")]:
        file.write_text(text)
        file.chmod(mode)
        seen.add(hash_tree(tmp_path))
        assert file.name == name
    file.rename(tmp_path / "b")
    seen.add(hash_tree(tmp_path))
    assert len(seen) == 4


# --- Jitsi's repository


@pytest.mark.sockets
@pytest.mark.programs
def test_repository_that_answers(repository: str) -> None:
    assert fetch_problem(f"{repository}/stable/InRelease") is None
    check_jitsi(Repository(repository))


@pytest.mark.sockets
@pytest.mark.programs
@pytest.mark.parametrize(
    ("path", "reason"),
    [("testing/InRelease", "not an apt repository"), ("unstable/InRelease", "HTTP status 404")],
    ids=["captive portal", "not there"],
)
def test_repository_that_answers_something_else(repository: str, path: str, reason: str) -> None:
    problem = fetch_problem(f"{repository}/{path}")
    assert problem is not None
    assert reason in problem


@pytest.mark.sockets
@pytest.mark.programs
def test_repository_that_hangs_is_given_up() -> None:
    with create_server(("127.0.0.1", 0)) as server:
        begin = time.monotonic()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/stable/InRelease"
        assert fetch_problem(url, seconds=0.3) is not None
    assert time.monotonic() - begin < 2


@pytest.mark.sockets
@pytest.mark.programs
def test_jitsi_that_does_not_answer_is_an_error_with_a_way_out() -> None:
    with pytest.raises(LabError, match="does not answer") as caught:
        check_jitsi(Repository(SILENT))
    assert "stand-ins" in (caught.value.hint or "")


@needs_apt
@pytest.mark.sockets
@pytest.mark.programs
def test_newest_versions_are_taken_and_remembered(jitsi: Packages, tmp_path: Path) -> None:
    found = resolve(jitsi, cache=tmp_path)
    assert {item.version for item in found.packages} == {"1.0-1200-1"}
    assert set(origins(found).values()) == {PackageOrigin.JITSI}
    gone = replace(jitsi, key=jitsi.key)
    (remembered,) = tmp_path.glob("versions-*")
    remembered.write_text(remembered.read_text().replace("1.0-1200-1", "1.0-1199-1"))
    assert resolve(gone, cache=tmp_path).packages[0].version == "1.0-1199-1"
    assert resolve(gone, cache=tmp_path, force=True).packages[0].version == "1.0-1200-1"
    assert not list(tmp_path.glob("labctl-lists-*"))


@needs_apt
@pytest.mark.sockets
@pytest.mark.programs
def test_pinned_versions(jitsi: Packages, tmp_path: Path) -> None:
    pinned = replace(jitsi, versions={"jicofo": "1.0-1190-1"})
    found = resolve(pinned, cache=tmp_path)
    assert [item.version for item in found.packages[:2]] == ["1.0-1190-1", "1.0-1200-1"]


@needs_apt
@pytest.mark.sockets
@pytest.mark.programs
def test_version_that_does_not_exist_has_its_nearest_named(jitsi: Packages, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"no version '1\.0-1191-1' of 'jicofo'") as caught:
        resolve(replace(jitsi, versions={"jicofo": "1.0-1191-1"}), cache=tmp_path)
    assert "1.0-1190-1" in (caught.value.hint or "")
    assert "newest: 1.0-1200-1" in (caught.value.hint or "")


@needs_apt
@pytest.mark.sockets
@pytest.mark.programs
def test_foreign_key_is_refused_before_anything_is_read(jitsi: Packages, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="but 'FFD65A0DA2BEBDEB") as caught:
        resolve(replace(jitsi, key=""), cache=tmp_path)
    assert jitsi.key in caught.value.message
    assert "packages.key" in (caught.value.hint or "")


@needs_apt
@pytest.mark.sockets
@pytest.mark.programs
def test_index_that_another_key_signed(web: Path, signer: Signer, tmp_path: Path) -> None:
    stranger = Signer.make(tmp_path / "stranger")
    root = tmp_path / "forged"
    shutil.copytree(web, root)
    forged = (root / "stable" / "InRelease").read_bytes().split(b"\n\n", 1)[1]
    body = forged.split(b"-----BEGIN PGP SIGNATURE", 1)[0]
    (root / "stable" / "InRelease").write_bytes(stranger.clear_sign(body))
    stranger.stop()
    with served(root) as uri, pytest.raises(LabError, match="signed by another key") as caught:
        resolve(
            Packages(PackageSource.JITSI, repository=uri, key=signer.fingerprint),
            cache=tmp_path / "cache",
        )
    assert signer.fingerprint in (caught.value.hint or "")


@needs_apt
@pytest.mark.sockets
@pytest.mark.programs
def test_key_that_has_expired(web: Path, tmp_path: Path) -> None:
    old = Signer.make(tmp_path / "old", expires="1d", at="20260101T000000!")
    root = tmp_path / "root"
    publish(root, sorted((web / "stable").glob("*.deb")), old, at="20260101T010000!")
    old.stop()
    with served(root) as uri, pytest.raises(LabError, match="its key has expired"):
        resolve(
            Packages(PackageSource.JITSI, repository=uri, key=old.fingerprint),
            cache=tmp_path / "cache",
        )


@needs_apt
@pytest.mark.sockets
@pytest.mark.programs
def test_key_that_is_none(web: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(web, root)
    (root / "jitsi-key.gpg.key").write_text("<html>404</html>")
    with served(root) as uri, pytest.raises(LabError, match="did not return a key"):
        resolve(Packages(PackageSource.JITSI, repository=uri), cache=tmp_path / "cache")


# --- resolve


@needs_apt
@pytest.mark.sockets
@pytest.mark.programs
def test_auto_takes_jitsi_where_it_answers(jitsi: Packages, standins: Path, tmp_path: Path) -> None:
    packages = replace(jitsi, source=PackageSource.AUTO)
    found = resolve(packages, cache=tmp_path / "c", standins=standins)
    assert set(origins(found).values()) == {PackageOrigin.JITSI}
    assert found.notice is None


@needs_dpkg
@pytest.mark.sockets
@pytest.mark.programs
def test_auto_falls_back_loudly_and_remembers(standins: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    found = resolve(Packages(repository=SILENT), cache=cache, standins=standins)
    assert set(origins(found).values()) == {PackageOrigin.STAND_INS}
    assert found.notice is not None
    assert "STAND-INS, not Jitsi's software" in found.notice
    (memory,) = cache.glob("silent-*")
    memory.write_text("remembered")
    again = resolve(Packages(repository=SILENT), cache=cache, standins=standins)
    assert "(remembered)" in (again.notice or "")
    os.utime(memory, (1, 1))
    fresh = resolve(Packages(repository=SILENT), cache=cache, standins=standins)
    assert "(remembered)" not in (fresh.notice or "")
    memory.write_text("remembered")
    forced = resolve(Packages(repository=SILENT), cache=cache, standins=standins, force=True)
    assert "(remembered)" not in (forced.notice or "")


@needs_dpkg
@pytest.mark.sockets
@pytest.mark.programs
def test_debs_are_filled_up_from_standins_one_by_one(
    folder: Path, standins: Path, tmp_path: Path
) -> None:
    build_deb(folder, "jicofo", version="1.0-1196-1")
    build_deb(folder, "jitsi-meet-tokens")
    packages = Packages(source=PackageSource.DEBS, path=str(folder), repository=SILENT)
    found = resolve(packages, cache=tmp_path / "c", standins=standins)
    assert origins(found)["jicofo"] is PackageOrigin.DEBS
    assert origins(found)["jitsi-videobridge2"] is PackageOrigin.STAND_INS
    assert [item.name for item in found.extras] == ["jitsi-meet-tokens"]
    assert not found.others
    assert found.notice is not None
    for name in MAIN_PACKAGES[1:]:
        assert f"{name}: a STAND-IN" in found.notice
    # What no image has is in no role's repository, and makes no image another.
    assert {deb.name for deb in found.local_debs(Role.JVB)} == {"jitsi-videobridge2"}
    assert "jitsi-meet-tokens" not in str(found.identity(Role.JMS))


@needs_apt
@pytest.mark.sockets
@pytest.mark.programs
def test_debs_are_filled_up_from_jitsi(
    jitsi: Packages, folder: Path, standins: Path, tmp_path: Path
) -> None:
    build_deb(folder, "jicofo")
    packages = replace(jitsi, source=PackageSource.DEBS, path=str(folder))
    found = resolve(packages, cache=tmp_path / "c", standins=standins)
    assert origins(found)["jitsi-meet-web"] is PackageOrigin.JITSI
    assert found.packages[-1].version == "1.0-1200-1"
    assert "jitsi-meet-web: from Jitsi's repository" in (found.notice or "")
    assert found.needs_jitsi(Role.JVB)
    assert not (tmp_path / "calls").exists()


@needs_dpkg
@pytest.mark.sockets
@pytest.mark.programs
def test_debs_may_be_a_list_of_files(folder: Path, standins: Path, tmp_path: Path) -> None:
    one, other = build_deb(folder, "jicofo"), build_deb(folder, "jitsi-meet-web")
    build_deb(folder, "jitsi-meet-web-config")
    files = (str(one), str(other))
    packages = Packages(PackageSource.DEBS, files=files, repository=SILENT)
    found = resolve(packages, cache=tmp_path / "c", standins=standins)
    assert [item.name for item in found.packages if item.origin is PackageOrigin.DEBS] == [
        "jicofo",
        "jitsi-meet-web",
    ]
    missing = replace(packages, files=(*files, "/nowhere/x.deb"))
    with pytest.raises(LabError, match=r"do not exist: '/nowhere/x\.deb'"):
        resolve(missing, cache=tmp_path / "c", standins=standins)


@needs_dpkg
@pytest.mark.sockets
@pytest.mark.programs
def test_complete_debs_need_no_notice(folder: Path, tmp_path: Path) -> None:
    for name in MAIN_PACKAGES:
        build_deb(folder, name)
    packages = Packages(source=PackageSource.DEBS, path=str(folder), repository=SILENT)
    found = resolve(packages, cache=tmp_path / "c")
    assert set(origins(found).values()) == {PackageOrigin.DEBS}
    assert found.notice is None


@needs_dpkg
@pytest.mark.sockets
@pytest.mark.programs
@pytest.mark.parametrize(
    ("packages", "message"),
    [
        (Packages(versions={"jicofoo": "1"}), "'jicofoo'"),
        (
            Packages(source=PackageSource.STAND_INS, versions={"jicofo": "1.0-1"}),
            "'jicofo' 1.0-1, but stand-ins has 0~standin1",
        ),
        (
            Packages(versions={"jicofo": "1.0-1"}, repository=SILENT),
            "'jicofo' 1.0-1, but stand-ins has",
        ),
        (Packages(source=PackageSource.DEBS, repository=SILENT), "needs 'packages.path'"),
    ],
    ids=["unknown package", "stand-ins cannot be pinned", "nor by auto", "no path"],
)
def test_what_cannot_be_had_is_said(
    packages: Packages, message: str, standins: Path, tmp_path: Path
) -> None:
    with pytest.raises(LabError) as caught:
        resolve(packages, cache=tmp_path / "c", standins=standins)
    assert message in caught.value.message


@needs_dpkg
@pytest.mark.sockets
@pytest.mark.programs
def test_folder_without_any_of_jitsis_packages(folder: Path, tmp_path: Path) -> None:
    build_deb(folder, "hello")
    packages = Packages(source=PackageSource.DEBS, path=str(folder), repository=SILENT)
    with pytest.raises(LabError, match="none of Jitsi's packages"):
        resolve(packages, cache=tmp_path / "c")
