"""Man pages: one per verb, read by groff without a complaint."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from labctl.cli.main import VERBS, cli
from labctl.core.errors import UsageError
from labctl.core.exits import MEANINGS


def run(*words: str) -> Any:
    return CliRunner().invoke(cli, ["man", *words], standalone_mode=False)


def test_the_page_of_the_program() -> None:
    text = run().stdout.replace("\\-", "-")
    assert text.startswith('.TH "LABCTL" "1"')
    assert all(f"\\fB{name}\\fP\n  {verb.help}" in text for name, verb in VERBS.items())
    assert all(words in text for words in MEANINGS.values())
    assert "NO_COLOR" in text


def test_the_page_of_a_verb_below_a_verb() -> None:
    text = run("drill", "run").stdout.replace("\\-", "-")
    assert "\n.B labctl drill run\n" in text
    assert "labctl drill run vnode-stop s2s-cut\n" in text
    assert "\\fB--json\\fP FILE" in text


def test_a_verb_that_does_not_exist() -> None:
    error = run("drill", "walk").exception
    assert isinstance(error, UsageError)
    assert error.message == "There is no verb 'drill walk'."


def test_every_verb_gets_a_page(tmp_path: Path) -> None:
    run("--write", str(tmp_path))
    pages = {path.name for path in tmp_path.iterdir()}
    assert {"labctl.1", "labctl-drill-run.1", "labctl-gate-bisect.1"} <= pages
    assert {f"labctl-{name}.1" for name in VERBS} <= pages


@pytest.mark.programs
def test_groff_reads_them(tmp_path: Path) -> None:
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("'groff' is not installed")
    run("--write", str(tmp_path))
    words = [groff, "-man", "-Tutf8", "-ww", "-z", *sorted(tmp_path.iterdir())]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30)
    assert done.stderr == ""
