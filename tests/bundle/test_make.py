"""A bundle is complete or not there, whatever happens to the disk meanwhile."""

from __future__ import annotations

import errno
import json
import re
import subprocess
from pathlib import Path

import pytest

from labctl.bundle.make import JOURNAL, make_bundle, part_of
from labctl.bundle.model import Bundle
from labctl.bundle.verify import load_bundle, verify_bundle
from labctl.core.errors import LabError, UsageError
from labctl.core.process import ProcessError
from labctl.core.progress import Progress, silent
from labctl.topology.keys import AUTO_NETWORK
from labctl.topology.spec import Packages, PackageSource, Spec
from tests.bundle.conftest import SPEC, FakeStore

WINDOWS_NAMES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def paths(folder: Path) -> dict[str, Path]:
    return {str(path.relative_to(folder)): path for path in folder.rglob("*") if not path.is_dir()}


def test_a_bundle_lists_all_of_its_files_and_they_are_whole(bundle: Bundle, target: Path) -> None:
    assert load_bundle(target) == bundle
    listed = {file.path for file in bundle.files} | {"bundle.json", "SHA256SUMS"}
    assert set(paths(target)) == listed
    report = verify_bundle(target, progress=silent)
    assert (report.problems, report.notes) == ((), ())
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.programs
def test_the_checksums_are_those_that_sha256sum_reads(bundle: Bundle, target: Path) -> None:
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    assert subprocess.run(check, cwd=target, capture_output=True, check=False).returncode == 0


def test_only_the_owner_reads_what_is_secret(bundle: Bundle, target: Path) -> None:
    secret = {file.path for file in bundle.files if file.secret}
    assert {"ssh/key", "secrets.json", "seeds/jms/place", "seeds/jms/host_ed25519"} <= secret
    assert all((target / path).stat().st_mode & 0o777 == 0o600 for path in secret)
    assert target.stat().st_mode & 0o777 == 0o700
    # sshd reads it as the user that logs in.
    assert (target / "seeds/jms/authorized_keys").stat().st_mode & 0o777 == 0o644
    texts = [target / path for path in ("README.md", "Vagrantfile", "bundle.json", "sbom.cdx.json")]
    passwords = json.loads((target / "secrets.json").read_text())
    assert not any(passwords["jvb_password"] in text.read_text() for text in texts)


def test_every_bundle_has_keys_of_its_own(bundle: Bundle, store: FakeStore, target: Path) -> None:
    other = target.with_name("other")
    second = make_bundle(SPEC, target=other, progress=silent)
    assert second.id != bundle.id
    for name in ("ssh/key", "secrets.json", "ca/ca.crt", "seeds/jms/host_ed25519"):
        assert (target / name).read_bytes() != (other / name).read_bytes()


def test_names_and_line_ends_survive_windows(bundle: Bundle, target: Path) -> None:
    names = list(paths(target))
    assert len({name.casefold() for name in names}) == len(names)
    for part in {part for name in names for part in Path(name).parts}:
        assert re.fullmatch(r"[A-Za-z0-9._-]*[A-Za-z0-9_-]", part), part
        assert not WINDOWS_NAMES.fullmatch(part), part
    assert not any(b"\r" in path.read_bytes() for path in paths(target).values())


def test_nothing_in_it_is_of_the_machine_that_made_it(store: FakeStore, target: Path) -> None:
    packages = Packages(PackageSource.DEBS, path=str(target.parent / "candidates"))
    spec = Spec(lab="demo", jvbs=1, visitors=2, packages=packages)
    make_bundle(spec, target=target, progress=silent)
    assert not any(b"/candidates" in path.read_bytes() for path in paths(target).values())


def test_stand_ins_are_told(bundle: Bundle, target: Path) -> None:
    assert bundle.stand_ins == ("jicofo",)
    assert "not of Jitsi's software**: jicofo" in (target / "README.md").read_text()


@pytest.mark.parametrize("program", [False, True], ids=["by the system", "by a program"])
def test_a_full_disk_is_told_and_the_next_call_continues(
    store: FakeStore, target: Path, program: bool
) -> None:
    def fill(path: Path, progress: Progress) -> None:
        path.write_text("half")
        if program:
            raise ProcessError("'docker' failed:\n    write /x: no space left on device")
        raise OSError(errno.ENOSPC, "No space left on device")

    store.writes["b.tar"] = fill
    with pytest.raises(LabError, match=r"b\.tar' cannot be written: the disk is full\."):
        make_bundle(SPEC, target=target, progress=silent)
    assert not target.exists()
    assert {path.name for path in (part_of(target) / "images").iterdir()} == {"a.tar"}
    store.writes.clear()
    make_bundle(SPEC, target=target, progress=silent)
    assert store.written == ["a.tar", "b.tar", "b.tar"]
    assert not verify_bundle(target, progress=silent).problems
    assert not part_of(target).exists() and not (target / JOURNAL).exists()


def test_an_archive_that_was_damaged_meanwhile_is_written_again(
    store: FakeStore, target: Path
) -> None:
    def stop(path: Path, progress: Progress) -> None:
        raise KeyboardInterrupt

    store.writes["b.tar"] = stop
    with pytest.raises(KeyboardInterrupt):
        make_bundle(SPEC, target=target, progress=silent)
    (part_of(target) / "images" / "a.tar").write_text("A.TAR")
    store.writes.clear()
    make_bundle(SPEC, target=target, progress=silent)
    assert store.written == ["a.tar", "b.tar", "a.tar", "b.tar"]
    assert (target / "images" / "a.tar").read_text() == "a.tar"


def test_what_another_lab_left_unfinished_is_not_in_the_bundle(
    store: FakeStore, target: Path
) -> None:
    part = part_of(target)
    (part / "images").mkdir(parents=True)
    (part / "images" / "old.tar").write_text("old")
    (part / "seeds").mkdir()
    (part / "seeds" / "jvb9.iso").write_text("old")
    make_bundle(SPEC, target=target, progress=silent)
    assert not {name for name in paths(target) if "old" in name or "jvb9" in name}


def test_too_little_space_is_told_before_anything_is_written(
    store: FakeStore, target: Path
) -> None:
    store.least_bytes = 1 << 60
    with pytest.raises(LabError, match=r"needs at least [0-9,]+ MB, and '.*' has"):
        make_bundle(SPEC, target=target, progress=silent)
    assert store.written == []


def test_a_read_only_disk_is_told_with_the_file(
    store: FakeStore, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(LabError, match=r"'.*\.demo\.part' cannot be written: the disk is read-o"):
        make_bundle(SPEC, target=target, progress=silent)


def test_a_folder_in_use_stays_as_it_is(store: FakeStore, target: Path) -> None:
    target.mkdir(parents=True)
    (target / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not an empty folder"):
        make_bundle(SPEC, target=target, progress=silent)
    with pytest.raises(UsageError, match="is a whole disk") as caught:
        make_bundle(SPEC, target=Path("/proc"), progress=silent)
    assert caught.value.hint == "Give a folder on it: '/proc/lab'."
    assert list(target.iterdir()) == [target / "thesis.txt"]


def test_an_empty_folder_becomes_the_bundle(store: FakeStore, target: Path) -> None:
    target.mkdir(parents=True)
    make_bundle(SPEC, target=target, progress=silent)
    assert (target / "Vagrantfile").is_file()


def test_the_network_of_the_other_machine_is_not_guessed(store: FakeStore, target: Path) -> None:
    with pytest.raises(UsageError, match="by its address, not 'auto'"):
        make_bundle(Spec(lab="demo", network=AUTO_NETWORK), target=target, progress=silent)
