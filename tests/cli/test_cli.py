"""Flags that several verbs share, and what they refuse."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from labctl.cli.build import build_command
from labctl.cli.doctor import doctor_command
from labctl.cli.images import images_command
from labctl.cli.main import VERBS, cli
from labctl.core.errors import LabError, SpecError, UsageError
from labctl.lab import machines
from labctl.providers.docker.images import DockerImages
from labctl.topology.spec import Role, Spec


def run(command: click.Command, *words: str) -> Any:
    return CliRunner().invoke(command, words, standalone_mode=False)


@pytest.mark.parametrize("jobs", ["0", "-1", "many", "1.5"])
def test_jobs_are_a_number_from_one(jobs: str) -> None:
    error = run(build_command, "--jobs", jobs).exception
    assert isinstance(error, click.UsageError)
    assert error.exit_code == 2
    assert "--jobs" in error.format_message()


@pytest.mark.parametrize(("words", "jobs"), [((), None), (("--jobs", "3"), 3)])
def test_jobs_reach_the_bakes(
    words: tuple[str, ...], jobs: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int | None] = []

    def ensure(spec: Spec, *, jobs: int | None, **_: object) -> dict[Role, str]:
        given.append(jobs)
        return {Role.JMS: "labctl/jms:1"}

    tools: list[str] = []
    monkeypatch.setattr(DockerImages, "ensure_tools", lambda *_: tools.append("docker"))
    monkeypatch.setattr(machines, "ensure_images_of", ensure)
    done = run(build_command, "--lab", "nowhere", *words)
    assert done.exception is None
    assert given == [jobs]
    assert tools == ["docker"]
    assert done.stdout == "jms        labctl/jms:1\n"


def test_a_provider_that_is_none_is_refused() -> None:
    error = run(images_command, "list", "--provider", "vmware").exception
    assert isinstance(error, UsageError)
    assert error.hint == "Known providers: docker, libvirt, virtualbox."
    assert isinstance(run(images_command, "list", "--provider", "auto").exception, UsageError)
    spec_error = run(doctor_command, "--provider", "vmware").exception
    assert isinstance(spec_error, SpecError)
    assert isinstance(spec_error, LabError)
    assert "must be one of auto, docker, libvirt, virtualbox" in spec_error.message


@pytest.mark.parametrize("name", VERBS)
def test_the_list_of_verbs_says_what_each_verb_says_of_itself(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.get_short_help_str(limit=1000) == VERBS[name].help


def test_verbs_are_completed() -> None:
    found = cli.shell_complete(click.Context(cli), "do")
    assert [(item.value, item.help) for item in found] == [
        (name, VERBS[name].help) for name in ("doctor", "down")
    ]
