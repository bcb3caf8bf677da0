"""A lab comes back from whatever happened to labctl, to its files and to its machines.

The next `up` must end media-ready and `destroy` must leave nothing.  Fifty kills, also of builds
and gates, are in benchmarks/chaos.py; what needs this machine's engine or clock for itself is not
here, because other labs run beside.
"""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import subprocess
from argparse import Namespace
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest

from benchmarks import chaos
from labctl.core.waiting import Deadline, wait_until
from tests.labs.conftest import ROOT, Ended, Lab
from tests.labs.test_lab import assert_gone, docker

pytestmark = pytest.mark.lab

NETWORK = "10.77.79.0/24"
KILLS = 10
QUICK = ["up", "change", "down"]
STATE = ("spec", "topology", "machines", "secrets", "media", "timings")
DAY = 86400
LONG = (pytest.mark.long,)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """The lab of benchmarks/chaos.py: a JMS with its own bridge and one vnode."""
    lab = Lab(name=chaos.LAB, path=ROOT / ".lab" / chaos.LAB)
    lab.run("destroy", "--yes", "--lab", lab.name, check=False)
    bring_up(lab)
    yield lab
    lab.run("destroy", "--yes", "--lab", lab.name, check=False)


def bring_up(lab: Lab, *, check: bool = True) -> Ended:
    return lab.run("up", "--network", NETWORK, *chaos.SHAPE, timeout=1500, check=check)


def assert_ready(lab: Lab) -> None:
    """One `up`, whatever was before, and nobody finds anything missing."""
    bring_up(lab)
    status = lab.run("status", "--json").json()
    assert status["healthy"], status["missing"]


def test_ten_kills_at_random_instants(lab: Lab, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    chance, options = random.Random(seed), Namespace(verbs=QUICK, network=NETWORK)
    rounds = [chaos.play(chance, number, options, tmp_path) for number in range(KILLS)]
    failed = [each for each in rounds if each.problem]
    assert not failed, f"seed {seed}: {failed}"
    assert not all(each.ended_first for each in rounds), f"seed {seed}: nothing was killed"


def remove_the_node(lab: Lab) -> None:
    docker("rm", "-f", f"labctl-{lab.name}-jms")


def forget_the_machines(lab: Lab) -> None:
    shutil.rmtree(lab.path / "vagrant")


def lose_the_power(lab: Lab) -> None:
    """As after a reboot: no node runs, the network is there, and a lock is left of nobody."""
    docker("kill", f"labctl-{lab.name}-jms")
    (lab.path.parent / f".{lab.name}.lock").write_text("pid 4194303\nlabctl up\n")
    (lab.path / "vagrant.lock").write_text("")


def age(lab: Lab) -> None:
    """As after the clock was set back: all files of the lab are of tomorrow."""
    for path in (lab.path, *lab.path.rglob("*")):
        then = path.lstat().st_mtime + DAY
        os.utime(path, (then, then), follow_symlinks=False)


def remove_the_rendered_files(lab: Lab) -> None:
    shutil.rmtree(lab.path / "tree")


def missing(lab: Lab) -> str:
    return str(lab.run("status", "--json", check=False).json()["missing"])


# Prosody's console takes a line of Lua after '>'.  To the room that is all that Jicofo's seat is.
UNSEAT = """> \
for host, it in pairs(prosody.hosts) do \
  local muc = it.modules.muc; \
  local room = muc and muc.get_room_from_jid("jvbbrewery@" .. host); \
  for jid in pairs(room and room._jid_nick or {}) do \
    if jid:find("^focus@") then room._jid_nick[jid] = nil; print("unseated") end \
  end \
end"""


def lose_jicofos_seat(lab: Lab) -> None:
    """As restarts of Prosody did: Jicofo believes to be in the brewery, and is not."""
    console = shlex.join(["prosodyctl", "shell", UNSEAT])
    said = lab.run("exec", "jms", "--", "sudo", "sh", "-c", console).out
    assert said.count("unseated") == 1, said
    # Jicofo hears of it with its next health check, ten seconds later at most.
    named = wait_until(
        lambda: "Jicofo seat" in missing(lab), deadline=Deadline.after(60), interval=1
    )
    assert named, missing(lab)


@pytest.mark.parametrize(
    "happens",
    [
        remove_the_node,
        forget_the_machines,
        lose_the_power,
        age,
        remove_the_rendered_files,
        lose_jicofos_seat,
    ],
)
def test_a_lab_comes_back(lab: Lab, happens: Callable[[Lab], None]) -> None:
    happens(lab)
    assert_ready(lab)


# Vagrant as it is, but its first `up` ends as Ruby does when it crashes, with containers half made.
CRASHES_ONCE = """#!/bin/bash
if [ "$1" = up ] && mkdir {folder}/crashed; then
  {vagrant} "$@" >{folder}/said 2>&1 & crashes=$!
  for _ in $(seq 600); do grep -q 'Creating the container' {folder}/said && break; sleep 0.05; done
  kill -ABRT $crashes
  echo "logger.rb:124: [BUG] Segmentation fault at 0x0000000000000008" >&2
  exit 134
fi
exec {vagrant} "$@"
"""


def test_a_vagrant_that_crashes_is_run_again(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    script = CRASHES_ONCE.format(folder=tmp_path, vagrant=shutil.which("vagrant"))
    (folder / "vagrant").write_text(script)
    (folder / "vagrant").chmod(0o755)
    remove_the_node(lab)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    ended = bring_up(lab)
    assert (tmp_path / "crashed").is_dir()
    assert "trying again: Vagrant's Ruby crashed: Segmentation fault at 0x0000000000000008" in (
        ended.err + ended.out
    )
    assert lab.run("status", "--json").json()["healthy"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_newer(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))


def make_foreign(path: Path) -> None:
    path.write_text(path.read_text().replace(f'"{chaos.LAB}"', '"another"'))


DAMAGES = (cut, empty, make_a_folder, make_newer, make_foreign)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        # Every run of the tests has each file cut, and each damage to the topology.
        pytest.param(name, damage, marks=() if name == "topology" or damage is cut else LONG)
        for name, damage in product(STATE, DAMAGES)
    ],
)
def test_a_state_file_is_written_again_or_named(
    lab: Lab, name: str, damage: Callable[[Path], None]
) -> None:
    """What cannot be used is written again, or `up` names the file and what to do; then `destroy`
    removes the lab all the same, and the next `up` is as the first."""
    path = lab.path / f"{name}.json"
    before = path.read_bytes()
    damage(path)
    if path.is_file() and path.read_bytes() == before:
        pytest.skip(f"{path.name} does not name its lab")
    ended = bring_up(lab, check=False)
    if ended.code != 0:
        assert (ended.code, str(path) in ended.err, "Hint: " in ended.err) == (1, True, True)
        assert "Traceback" not in ended.err
        lab.run("destroy", "--yes", "--lab", lab.name)
        assert_gone(lab)
    assert_ready(lab)


def test_a_full_disk_is_named_and_then_forgotten(lab: Lab) -> None:
    lab.run("destroy", "--yes", "--lab", lab.name)
    lab.path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "labctl-selftest", str(lab.path)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this machine does not let anybody mount a small file system")
    try:
        ended = bring_up(lab, check=False)
        assert ended.code == 1
        assert "No space left on device" in ended.err or "disk is full" in ended.err, ended.err
        assert "Traceback" not in ended.err
        subprocess.run(["mount", "-o", "remount,size=64m", str(lab.path)], check=True)
        assert_ready(lab)
        # A mounted folder cannot be removed, and 'destroy' removes the lab's.
        lab.run("down")
    finally:
        subprocess.run(["umount", "-l", str(lab.path)], check=True)
    lab.path.rmdir()


def test_destroy_leaves_nothing(lab: Lab) -> None:
    lab.run("destroy", "--yes", "--lab", lab.name, check=False)
    assert_gone(lab)
