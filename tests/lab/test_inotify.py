"""Containers that would end at once, because the kernel has too few instances of inotify."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.core.checks import CheckStatus
from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.lab.inotify import check_inotify, refuse_shortage
from labctl.topology.spec import ProviderName, Spec

LARGE = Spec(provider=ProviderName.DOCKER, jvbs=31, visitors=8)
"""33 nodes: JMS, bridges, and one for the vnodes."""


@pytest.fixture
def limit(tmp_path: Path) -> Path:
    """Debian's default."""
    path = tmp_path / "max_user_instances"
    path.write_text("128\n")
    return path


@pytest.mark.parametrize(("jvbs", "allowed"), [(30, True), (31, False)])
def test_more_containers_than_instances_are_refused(
    limit: Path, jvbs: int, *, allowed: bool
) -> None:
    """With Debian's default, JMS, visitors1 and thirty bridges came up; with fifty, eight ended."""
    refused = pytest.raises(LabError, match="33 containers need 132 instances")
    with nullcontext() if allowed else refused:
        refuse_shortage([replace(LARGE, jvbs=jvbs)], limit=limit)


def test_labs_count_together(limit: Path) -> None:
    half = replace(LARGE, jvbs=15)
    refuse_shortage([half], limit=limit)
    with pytest.raises(LabError, match=r"34 containers need 136 .* allows 128") as caught:
        refuse_shortage([half, half], limit=limit)
    assert caught.value.finding is Finding.INOTIFY_FEW
    assert "sysctl -w fs.inotify.max_user_instances=1024" in str(caught.value.hint)


def test_virtual_machines_and_other_kernels_do_not_count(limit: Path, tmp_path: Path) -> None:
    machines = replace(LARGE, provider=ProviderName.LIBVIRT)
    refuse_shortage([machines], limit=limit)
    refuse_shortage([LARGE], limit=tmp_path / "none")
    assert check_inotify(machines, limit=limit) == check_inotify(LARGE, limit=tmp_path / "no") == []


def test_a_lab_that_runs_is_not_asked_again(limit: Path) -> None:
    refuse_shortage([LARGE], running=33, limit=limit)
    with pytest.raises(LabError):
        refuse_shortage([LARGE], running=32, limit=limit)


def test_doctor_can_raise_the_limit(limit: Path) -> None:
    [enough] = check_inotify(replace(LARGE, jvbs=30), limit=limit)
    assert (enough.status, enough.found) == (
        CheckStatus.OK,
        "128 instances, enough for 32 containers",
    )
    [short] = check_inotify(LARGE, limit=limit)
    assert short.status is CheckStatus.FAIL
    assert short.found.endswith("and not for this lab's 33")
    assert short.fix is not None
    assert short.fix.argv == ("sysctl", "-w", "fs.inotify.max_user_instances=1024")
