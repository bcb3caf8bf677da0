"""A .deb that somebody else made: a package or an error in words, and no file elsewhere."""

from __future__ import annotations

import io
import lzma
import tarfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labctl.core.errors import LabError
from labctl.gate import contents
from labctl.images.debs import load_files, write_repository

pytestmark = pytest.mark.programs

CONTROL = "Package: jicofo\nVersion: 1.0-1\nArchitecture: all\nMaintainer: a <a@b.c>\n"
TEXT = "Description: x\n"


def member(name: str, data: bytes) -> bytes:
    head = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
    return head + data + b"\n" * (len(data) % 2)


def archive(entries: Mapping[str, bytes | str]) -> bytes:
    """A tar; text is the target of a link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in entries.items():
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            if isinstance(data, str):
                info.type, info.linkname = tarfile.SYMTYPE, data
                tar.addfile(info)
            else:
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def deb(control: Mapping[str, bytes | str], data: Mapping[str, bytes | str] | None = None) -> bytes:
    members = {
        "debian-binary": b"2.0\n",
        "control.tar": archive(control),
        "data.tar": archive(data or {}),
    }
    return b"!<arch>\n" + b"".join(member(*each) for each in members.items())


FIELD = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["../../x", "/etc/x", "-rf", "--root=/", "a/b", "jicofo\nPackage: x", "a b", "a\0b", "1_2"]
    ),
)


@given(fields=st.tuples(FIELD, FIELD, FIELD), more=FIELD)
@example(fields=("../../../climbed", "1", "all"), more="x")
@example(fields=("jicofo", "../../climbed", "all"), more="x")
@example(fields=("--help", "1", "all"), more="x")
@example(fields=("jicofo", "1", "all"), more="x\n\nPackage: other\nVersion: 9\nFilename: /etc/x")
def test_control_fields_become_no_paths_and_no_second_package(
    fields: tuple[str, str, str], more: str, tmp_path: Path
) -> None:
    inside = tmp_path / "a" / "b"
    folder = inside / f"{len(list(inside.iterdir())) if inside.is_dir() else 0}"
    folder.mkdir(parents=True)
    name, version, architecture = fields
    text = f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nNote: {more}\n"
    file = folder / "x.deb"
    file.write_bytes(deb({"control": (text + TEXT).encode("utf-8", "surrogatepass")}))
    try:
        debs = load_files([file], architecture="all").debs
        write_repository(folder / "repository", debs)
    except LabError as error:
        assert "x.deb" in error.message
    else:
        index = (folder / "repository" / "Packages").read_text(encoding="utf-8")
        assert len([line for line in index.splitlines() if line.startswith("Package:")]) == 1
        assert "\n\n" not in index.strip()
    assert {path.name for path in folder.iterdir()} <= {"x.deb", "repository"}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@given(data=st.binary(max_size=200), at=st.integers(0, 400))
def test_a_damaged_file_is_named(data: bytes, at: int, tmp_path: Path) -> None:
    whole = deb({"control": (CONTROL + TEXT).encode()})
    file = tmp_path / "x.deb"
    file.write_bytes(whole[:at] + data + whole[at + len(data) :])
    try:
        load_files([file], architecture="all")
    except LabError as error:
        assert "x.deb" in error.message


def test_a_bomb_is_no_package(
    tmp_path: Path, within: Callable[[], AbstractContextManager[None]]
) -> None:
    """A gigabyte in 150 kilobytes, where the control file should be."""
    packer, body = lzma.LZMACompressor(), bytearray()
    head = tarfile.TarInfo("control")
    head.size = 1 << 30
    body += packer.compress(head.tobuf())
    for _ in range(1024):
        body += packer.compress(b"\0" * (1 << 20))
    body += packer.compress(b"\0" * 1024) + packer.flush()
    file = tmp_path / "bomb.deb"
    members = {"debian-binary": b"2.0\n", "control.tar.xz": bytes(body), "data.tar": archive({})}
    file.write_bytes(b"!<arch>\n" + b"".join(member(*each) for each in members.items()))
    with within(), pytest.raises(LabError, match=r"'bomb\.deb': its control file cannot be read"):
        load_files([file], architecture="all")


def test_links_and_climbing_paths_of_a_package_show_nothing_of_this_machine(
    tmp_path: Path,
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    file = tmp_path / "x.deb"
    file.write_bytes(
        deb(
            {
                "control": (CONTROL + TEXT).encode(),
                "postinst": str(secret),
                "conffiles": str(secret),
            },
            {"./etc/jitsi/a.conf": str(secret), "./etc/jitsi/b.conf": b"b", "./up": str(tmp_path)},
        )
    )
    found = contents.unpack(file)
    assert "hunter2" not in repr(found)
    assert set(found.files) == {"/etc/jitsi/b.conf"}
    climbs = tmp_path / "climbs.deb"
    climbs.write_bytes(deb({"control": (CONTROL + TEXT).encode()}, {"../../../climbed": b"x"}))
    with pytest.raises(LabError, match=r"'climbs\.deb' cannot be unpacked"):
        contents.unpack(climbs)
    assert not list(tmp_path.parent.parent.glob("climbed"))
