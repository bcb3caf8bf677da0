"""A node that places its files by itself, run for real in a folder of this machine."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from labctl.core.waiting import Patience
from labctl.render.tree import ChangeCommand, Unit
from provision.fresh import fresh_files, fresh_plan
from provision.manifest import Manifest, ManifestEntry

pytestmark = pytest.mark.programs

ME = pwd.getpwuid(os.getuid()).pw_name
MY_GROUP = grp.getgrgid(os.getgid()).gr_name
SYSTEMCTL = """#!/bin/sh
echo "$*" >>'{folder}/calls'
case $1 in
is-active) if [ -e '{folder}/broken' ]; then echo failed; else echo active; fi;;
esac
"""

PLACED = ["enable --quiet -- x.service", "daemon-reload", "ran", "restart -- x.service"]
"""What a fresh node does to its unit, once its files are there."""


@dataclass
class Node:
    """A folder that is a node's disk and its seed."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "etc" / "x.conf"

    def seed(self, text: str) -> None:
        """Give the node a seed with one file, one command and one unit."""
        manifest = Manifest(
            node="jms",
            files=(
                ManifestEntry(
                    str(self.file), ME, MY_GROUP, 0o640, sha256(text.encode()).hexdigest()
                ),
            ),
            absent=(str(self.folder / "default"),),
            commands=(ChangeCommand(f"echo ran >>{self.folder}/calls", (str(self.file),)),),
            units=(Unit("x.service", 1, (str(self.file),)),),
            text=f"{text}\n",
        )
        source = self.folder / "tree/jms/files" / str(self.file).lstrip("/")
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(text)
        files = fresh_files(manifest, tree=self.folder / "tree", patience=Patience(1.0))
        (self.folder / "seed").mkdir(exist_ok=True)
        for name, content in files.items():
            content = content.replace("/var/lib/labctl", f"{self.folder}/state")
            content = content.replace("/run/labctl-place", f"{self.folder}/place")
            (self.folder / "seed" / name).write_text(content)

    def boot(self) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            ["/bin/sh", str(self.folder / "seed" / "apply")],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        """What was done; the question whether a unit is active does nothing."""
        lines = (self.folder / "calls").read_text().splitlines()
        (self.folder / "calls").unlink()
        return [line for line in lines if not line.startswith(("is-active", "reset-failed"))]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    (tmp_path / "bin").mkdir()
    for name, text in {"systemctl": SYSTEMCTL.format(folder=tmp_path), "ss": "#!/bin/sh\n"}.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "default").touch()
    found = Node(tmp_path)
    found.seed("one")
    return found


def test_a_fresh_node_is_placed_and_later_only_waited_for(node: Node) -> None:
    said = node.boot()
    assert (said.returncode, said.stderr) == (0, "")
    assert node.file.read_text() == "one" and node.file.stat().st_mode & 0o777 == 0o640
    assert not (node.folder / "default").exists()
    assert node.calls == PLACED
    node.file.write_text("changed by a student")
    again = node.boot()
    assert (again.returncode, again.stdout) == (
        0,
        "labctl: this node was in place, and its units run\n",
    )
    assert not any(call.startswith(("enable", "restart")) for call in node.calls)
    assert node.file.read_text() == "changed by a student"


def test_an_interrupted_placing_is_done_again(node: Node) -> None:
    (node.folder / "broken").touch()
    said = node.boot()
    assert said.returncode == 1
    assert "inactive\tx.service\tfailed" in said.stdout
    assert 'the step "units-1" failed' in said.stderr
    (node.folder / "broken").unlink()
    _ = node.calls
    assert node.boot().returncode == 0
    assert node.calls == PLACED


def test_another_seed_is_placed(node: Node) -> None:
    assert node.boot().returncode == 0
    node.seed("two")
    assert node.boot().returncode == 0
    assert node.file.read_text() == "two"


def test_a_damaged_seed_changes_nothing(node: Node) -> None:
    place = node.folder / "seed" / "place"
    place.write_text(place.read_text()[:40])
    said = node.boot()
    assert said.returncode == 1 and "it did not arrive whole" in said.stdout
    assert not node.file.exists()


def test_units_are_restarted_because_they_may_run_with_other_files() -> None:
    plan = fresh_plan(Manifest(node="jms", units=(Unit("x.service", 0), Unit("y.service", 2))))
    assert {number: stage.restart for number, stage in plan.stages.items()} == {
        0: ("x.service",),
        2: ("y.service",),
    }
    assert not any(stage.start for stage in plan.stages.values())
