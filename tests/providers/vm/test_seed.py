"""Seeds, read back by the program that reads discs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from labctl.providers.vm.seed import make_throwaway

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(shutil.which("xorriso") is None, reason="needs xorriso"),
]


def xorriso(*words: str | Path) -> str:
    return subprocess.run(
        ["xorriso", *words], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    ).stdout


def test_a_seed(tmp_path: Path) -> None:
    seed, key, host = make_throwaway(tmp_path, name="jvb1")
    assert seed.stat().st_mode & 0o777 == 0o600
    listing = xorriso("-indev", seed, "-find", "/", "-exec", "lsdl")
    rows = {
        line.split()[-1].strip("'"): line.split() for line in listing.splitlines() if "'" in line
    }
    assert {name: (row[0], row[2], row[3]) for name, row in rows.items()} == {
        "/": ("drwxr-xr-x", "0", "0"),
        "/authorized_keys": ("-rw-r--r--", "0", "0"),
        "/host_ed25519": ("-rw-------", "0", "0"),
        "/hostname": ("-rw-r--r--", "0", "0"),
    }
    out = tmp_path / "out"
    xorriso("-osirrox", "on", "-indev", seed, "-extract", "/", out)
    assert (out / "hostname").read_text() == "jvb1\n"
    assert (out / "authorized_keys").read_text().split()[1] == (
        key.with_name("id_ed25519.pub").read_text().split()[1]
    )
    assert host.startswith("ssh-ed25519 ")
    assert b"LABCTL" in seed.read_bytes()[0x8000:0x8800]
