"""`labctl bundle`: what the words mean, what is printed, and the exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from labctl.cli.bundle import bundle_command
from tests.bundle.conftest import FakeStore, store
from tests.schemas import checked

__all__ = ["store"]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: FakeStore) -> None:
    """Where there is no lab.conf, and the store of images pretends."""
    monkeypatch.chdir(tmp_path)


def run(*words: str) -> Result:
    return CliRunner().invoke(bundle_command, words, standalone_mode=False)


FLAGS = ("--lab", "demo", "--provider", "docker", "--jvbs", "1", "--visitors", "2")


def test_a_bundle_is_written_and_verified(tmp_path: Path) -> None:
    written = run(*FLAGS, "stick/lab")
    assert written.exception is None, written.exception
    assert "Lab 'demo' is in 'stick/lab'" in written.stdout
    assert "STAND-INS, not Jitsi's software: jicofo" in written.stdout
    assert "new keys and secrets" in written.stderr
    verified = run("verify", "stick/lab")
    assert (verified.return_value, verified.stdout[:6]) == (0, "Good: ")
    names = [
        node["name"] for node in json.loads(Path("stick/lab/topology.json").read_text())["nodes"]
    ]
    assert names == ["jms", "jvb1", "visitors1"]


def test_facts_for_programs(tmp_path: Path) -> None:
    written = json.loads(run(*FLAGS, "--json", "lab").stdout)
    checked("bundle-write", written)
    assert written["folder"] == str(tmp_path / "lab")
    assert (written["lab"], written["provider"], written["stand_ins"]) == (
        "demo",
        "docker",
        ["jicofo"],
    )
    good = json.loads(run("verify", "--json", "lab").stdout)
    assert (good["good"], good["problems"], good["files"]) == (True, [], written["files"])
    (tmp_path / "lab/images/a.tar").unlink()
    ended = run("verify", "--json", "lab")
    assert ended.return_value == 1
    bad = json.loads(ended.stdout)
    checked("bundle-verify", bad)
    assert bad["good"] is False
    assert bad["problems"] == [{"path": "images/a.tar", "said": "is missing"}]


def test_a_damaged_bundle_is_told_in_words(tmp_path: Path) -> None:
    run(*FLAGS, "lab")
    (tmp_path / "lab/images/a.tar").write_text("A.tar")
    ended = run("verify", "lab")
    assert (ended.return_value, ended.stdout) == (1, "'images/a.tar' is damaged.\n")
