"""`labctl secrets`: what it shows, and that it never shows a value."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from labctl.cli.main import cli
from labctl.lab import current
from labctl.lab.prepare import render_lab
from labctl.lab.rotation import Rotation
from labctl.render.secrets import load_secrets
from labctl.topology.lab import Lab
from tests.schemas import checked


@pytest.fixture(autouse=True)
def _project(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab 'demo', rendered."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("labctl.cli.common.Workdir.of", lambda name: lab.folder)
    monkeypatch.setattr(current, "CURRENT", tmp_path / "current")
    render_lab(lab)


def secrets(*words: str) -> Result:
    return CliRunner().invoke(cli, ["secrets", *words], standalone_mode=False)


@pytest.mark.parametrize("words", [["list"], ["list", "--json"], ["rotate", "--dry-run"]], ids=str)
def test_no_value_is_shown(words: list[str], lab: Lab) -> None:
    said = secrets(*words)
    assert said.exception is None and "focus/v2" in said.output
    assert not [it for it in load_secrets(lab.folder).values.values() if it in said.output]


def test_a_dry_run_names_files_and_units_and_changes_nothing(lab: Lab) -> None:
    before = load_secrets(lab.folder)
    said = secrets("rotate", "--dry-run", "jvb").output
    assert "/etc/jitsi/videobridge/jvb.conf (jitsi-videobridge2.service)" in said
    assert "jicofo.conf" not in said and said.endswith("Nothing was changed.\n")
    assert load_secrets(lab.folder) == before
    checked("secrets-rotate-plan", secrets("rotate", "--dry-run", "--json").stdout)


def test_what_a_rotation_did_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Rotation(
        "demo", ("jvb",), ("turn",), True, {"jvb1": ("jitsi-videobridge2.service",)},
        {"jms": ("prosody.service",)}, {"jvb1": "there is no other bridge"}, 3.0,
    )  # fmt: skip
    monkeypatch.setattr("labctl.lab.rotation.rotate", lambda *_, **__: done)
    said = secrets("rotate").output
    assert "Lab 'demo' has new secrets: jvb." in said
    assert "jvb1: were interrupted, because there is no other bridge" in said
    checked("secrets-rotate", secrets("rotate", "--json").stdout)
