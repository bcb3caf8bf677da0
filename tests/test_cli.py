"""Flags that several verbs share, and what they refuse."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from labctl.cli.build import build_command
from labctl.cli.images import images_command
from labctl.cli.look import doctor_command
from labctl.docker.images import DockerImages
from labctl.errors import LabError, SpecError, UsageError
from labctl.lab import machines
from labctl.model import Role, Spec


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
    assert error.hint == "There are: docker, libvirt, virtualbox."
    assert isinstance(run(images_command, "list", "--provider", "auto").exception, UsageError)
    spec_error = run(doctor_command, "--provider", "vmware").exception
    assert isinstance(spec_error, SpecError)
    assert isinstance(spec_error, LabError)
    assert "must be one of auto, docker, libvirt, virtualbox" in spec_error.message
