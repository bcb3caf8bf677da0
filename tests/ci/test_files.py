"""docs/ci: files that the services accept, and commands that labctl understands."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

from labctl.cli.main import VERBS, cli
from labctl.topology.workdir import ROOT

FOLDER = ROOT / "docs" / "ci"
SCHEMAS = {"github.yml": "vendor.github-workflows", "gitlab.yml": "vendor.gitlab-ci"}
"""Every file, with the schema of its service that check-jsonschema brings along."""


def load(name: str) -> Any:
    return YAML(typ="safe").load((FOLDER / name).read_text(encoding="utf-8"))


def texts(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        data = list(data.values())
    if isinstance(data, list):
        for each in data:
            yield from texts(each)
    elif isinstance(data, str):
        yield data


def commands(name: str) -> list[list[str]]:
    """The labctl commands of a file, as words."""
    lines = (line for text in texts(load(name)) for line in re.split(r"\n|;|&&", text))
    found = [shlex.split(line) for line in lines if line.strip().startswith("$LABCTL")]
    return [words[1:] for words in found]


def check(path: Path, schema: str) -> subprocess.CompletedProcess[str]:
    words = ["--builtin-schema", schema]
    if schema.endswith("gitlab-ci"):
        words += ["--data-transform", "gitlab-ci"]
    command = [sys.executable, "-m", "check_jsonschema", *words, path]
    return subprocess.run(command, capture_output=True, text=True)


def test_every_file_is_checked_and_explained() -> None:
    assert {path.name for path in FOLDER.glob("*.yml")} == set(SCHEMAS)
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"]({name})" in page for name in SCHEMAS)


@pytest.mark.programs
@pytest.mark.parametrize("name", SCHEMAS)
def test_the_service_accepts_it(name: str) -> None:
    done = check(FOLDER / name, SCHEMAS[name])
    assert done.returncode == 0, done.stdout


@pytest.mark.programs
@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("github.yml", "runs-on: ubuntu-24.04", "run-on: ubuntu-24.04"),
        ("gitlab.yml", "  after_script:", "  after_script: 7\n  x:"),
    ],
)
def test_the_schema_sees_mistakes(name: str, right: str, wrong: str, tmp_path: Path) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert right in text
    (tmp_path / name).write_text(text.replace(right, wrong), encoding="utf-8")
    assert check(tmp_path / name, SCHEMAS[name]).returncode == 1


@pytest.mark.parametrize("name", SCHEMAS)
def test_labctl_understands_its_commands(name: str) -> None:
    found = commands(name)
    assert [words[0] for words in found if words[0] in ("up", "verify", "destroy")] == [
        "up", "verify", "destroy",
    ]  # fmt: skip
    for verb, *rest in found:
        assert verb in VERBS
        command = cli.get_command(click.Context(cli), verb)
        assert command is not None
        command.make_context(verb, list(rest))
    labs = {words[words.index("--lab") + 1] for words in found if "--lab" in words}
    assert labs == {"ci"}


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_lab_is_removed_and_its_logs_are_kept_whatever_happens(name: str) -> None:
    data = load(name)
    if name == "github.yml":
        steps = data["jobs"]["lab"]["steps"]
        late = [step for step in steps if step.get("if") == "always()"]
        assert any("destroy" in step.get("run", "") for step in late)
        assert steps[-1] in late and any("upload-artifact" in step.get("uses", "") for step in late)
        return
    job = data["lab"]
    assert "destroy" in job["after_script"][-1] and job["artifacts"]["when"] == "always"
    # What is kept of the job is what `verify` writes.
    assert job["artifacts"]["reports"]["junit"].startswith(job["artifacts"]["paths"][0])


def test_the_engine_of_gitlabs_job_answers_where_the_job_looks() -> None:
    data = load("gitlab.yml")
    [service] = data["lab"]["services"]
    port = data["variables"]["DOCKER_HOST"].rpartition(":")[2]
    assert f"--host=tcp://127.0.0.1:{port}" in service["command"]
    assert "//localhost:" in data["variables"]["DOCKER_HOST"]
