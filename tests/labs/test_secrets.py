"""No secret of a lab is anywhere but where it is needed."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from labctl.topology.workdir import state_dir
from tests.labs.conftest import Lab
from tests.labs.secretsof import MAY_HOLD, files_with, secrets_of, seen_in, watching
from tests.labs.test_lab import docker, labels

pytestmark = pytest.mark.lab


def test_a_watch_that_sees_nothing_would_see_a_secret(lab: Lab) -> None:
    """A check that cannot fail would be none."""
    secrets = secrets_of(lab.path)
    secret = next(iter(secrets)).decode()
    with watching(secrets) as watch:
        subprocess.run(["sleep", "1"], env={**os.environ, "LEAK": secret}, check=True)
        subprocess.run(["sh", "-c", "sleep 1; true", secret], check=True)
    assert {text.partition(" ")[0] for text in watch.shown} == {"cmdline", "environ"}


def test_no_process_shows_a_secret_while_a_lab_comes_up(lab: Lab) -> None:
    """Neither here nor on a node: containers' processes are this machine's, too."""
    secrets = secrets_of(lab.path)
    wanted = lab.topology()["spec"]["max_participants"]
    with watching(secrets) as watch:
        lab.run("up", "--max-participants", str(wanted + 1))
        lab.run("status")
        lab.run("up", "--max-participants", str(wanted))
    assert {"ssh", "docker"} <= {Path(name).name for name in watch.processes}
    assert watch.shown == set()


def test_no_artefact_of_a_lab_holds_a_secret(lab: Lab) -> None:
    lab.run("logs")
    secrets = secrets_of(lab.path)
    assert files_with(lab.path, secrets, may=MAY_HOLD) == []
    if state_dir().is_dir():
        assert files_with(state_dir(), secrets) == []
    ids = docker("ps", "-q", *labels(lab)).split()
    images = [node["image"] for node in lab.topology()["nodes"]]
    assert seen_in(docker("inspect", *ids, *images).encode(), secrets) == []
    assert seen_in(docker("network", "inspect", f"labctl-{lab.name}").encode(), secrets) == []


def test_only_this_user_can_read_a_labs_folder(lab: Lab) -> None:
    """A container sees `ssh/nodes/<node>`, so all else there is protected by itself."""
    assert stat.S_IMODE(lab.path.stat().st_mode) == 0o700
    for path in lab.path.rglob("*"):
        if path.is_file() and files_with_secret(path, lab):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def files_with_secret(path: Path, lab: Lab) -> bool:
    return bool(seen_in(path.read_bytes(), secrets_of(lab.path)))
