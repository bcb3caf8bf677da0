"""The wheel in an environment of its own: it works from any folder, without the checkout.

Its dependencies are those of this environment, so that nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [pytest.mark.programs, pytest.mark.slow]

KIT = ("Vagrantfile", "acceptance/", "packer/", "standins/", "training/", "pyproject.toml")
PACKAGES = ("labctl/", "provision/")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
TABLE = """
import os
from labctl.topology import places
print(places.ROOT, places.PROJECT, places.IS_CHECKOUT, sep="\\n")
"""


def tracked(root: Path) -> list[str]:
    """Files of the project as git knows them."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name and (root / name).is_file()]


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: building leaves folders behind."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in tracked(root):
        if name.startswith(("tests/", "docs/", ".lab/")):
            continue
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, source / name, follow_symlinks=False)
    subprocess.run(
        [*PIP, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
         "--wheel-dir", out, source],
        check=True, timeout=180,
    )  # fmt: skip
    [built] = out.glob("*.whl")
    return built


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel."""

    python: Path
    home: Path

    def run(
        self, *words: str, cwd: Path, check: bool = True, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`labctl` with these words; it knows nothing of the checkout."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        kept |= {"HOME": str(self.home), "XDG_STATE_HOME": str(self.home / "state"), **(env or {})}
        return subprocess.run(
            [self.python.with_name("labctl"), *words],
            cwd=cwd, env=kept, capture_output=True, text=True, check=check, timeout=60,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def places(self, cwd: Path) -> list[str]:
        """The folders of labctl's parts and of the project, seen from a folder."""
        done = subprocess.run(
            [self.python, "-c", TABLE], cwd=cwd, capture_output=True, text=True, check=True,
            env={"HOME": str(self.home), "PATH": os.environ["PATH"]},
        )  # fmt: skip
        return done.stdout.splitlines()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder, home = tmp_path_factory.mktemp("env"), tmp_path_factory.mktemp("home")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=120)
    python = folder / "bin" / "python"
    # A .pth file of a folder that a .pth file names is not read, so the checkout stays unknown.
    words = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip())
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    subprocess.run(
        [*PIP, "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel],
        check=True, timeout=120,
    )  # fmt: skip
    return Installed(python, home)


def test_the_wheel_carries_everything(wheel: Path, root: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {name for name in tracked(root) if name.startswith(PACKAGES)}
    wanted |= {f"labctl/kit/{name}" for name in tracked(root) if name.startswith(KIT)}
    assert not {name for name in wanted - names if not Path(name).name.startswith(".")}
    strangers = {name.partition("/")[0] for name in names}
    assert {name for name in strangers if not name.endswith(".dist-info")} == {
        "labctl",
        "provision",
    }


def test_what_is_run_may_be_run(installed: Installed, root: Path, tmp_path: Path) -> None:
    kit = Path(installed.places(tmp_path)[0])
    executable = [name for name in tracked(root) if os.access(root / name, os.X_OK)]
    for name in (name for name in executable if name.startswith(KIT)):
        assert os.access(kit / name, os.X_OK), name


def test_stand_ins_are_the_same(installed: Installed, root: Path, tmp_path: Path) -> None:
    """Images are named by what is in them: a checkout and a wheel share what they have baked."""
    script = "from labctl.images.standins import STANDINS, hash_tree; print(hash_tree(STANDINS))"
    here = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    there = subprocess.run(
        [installed.python, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True,
        env={"HOME": str(installed.home), "PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert there.stdout == here.stdout


def test_help_and_version(installed: Installed, tmp_path: Path) -> None:
    assert "Bring up a lab" in installed.run("--help", cwd=tmp_path).stdout
    assert installed.run("--version", cwd=tmp_path).stdout.startswith("labctl, version ")


def test_a_project_is_where_its_lab_conf_is(installed: Installed, tmp_path: Path) -> None:
    project = tmp_path / "a project"
    deeper = project / "notes" / "of today"
    deeper.mkdir(parents=True)
    assert installed.run("init", "--template", "relays", cwd=project).stdout == "lab.conf\n"
    rendered = installed.run("render", cwd=deeper)
    assert rendered.stdout == f"{project}/.lab/default/tree\n"
    config = project / ".lab/default/tree/jms/files/etc/jitsi/jicofo/jicofo.conf"
    assert "octo" in config.read_text(encoding="utf-8")
    shown = json.loads(installed.run("config", "show", "--json", cwd=deeper).stdout)
    assert shown["relays"] == {
        "value": True, "source": "file", "flag": None, "file": f"{project}/lab.conf",
        "line": shown["relays"]["line"],
    }  # fmt: skip
    assert not (installed.home / "state" / "labctl" / ".lab").exists()


def test_without_a_project_labs_are_in_the_users_state_folder(
    installed: Installed, tmp_path: Path
) -> None:
    rendered = installed.run("render", "--lab", "mine", "--jvbs", "0", cwd=tmp_path)
    assert rendered.stdout == f"{installed.home}/state/labctl/.lab/mine/tree\n"
    assert not list(tmp_path.iterdir())
    there = installed.run("status", "--lab", "nowhere", cwd=tmp_path, check=False)
    assert there.returncode == 1
    assert "There is no lab 'nowhere'." in there.stderr


def test_nothing_is_written_to_where_it_is_installed(installed: Installed, tmp_path: Path) -> None:
    kit = Path(installed.places(tmp_path)[0])
    found = {
        str(path.relative_to(kit)) for path in kit.rglob("*") if "__pycache__" not in path.parts
    }
    assert not {name for name in found if name.startswith(".")}


def test_the_acceptance_suite_is_found(installed: Installed, tmp_path: Path) -> None:
    """Without a lab it says so, and does not fail on what is missing from the wheel."""
    done = installed.run("verify", "--lab", "nowhere", cwd=tmp_path, check=False)
    assert "There is no lab 'nowhere'." in done.stderr
    installed.run("render", "--lab", "tried", "--jvbs", "0", "--visitors", "0", cwd=tmp_path)
    done = installed.run(
        "verify", "--lab", "tried", "--collect-only", "-q", cwd=tmp_path, check=False
    )
    assert "No module named" not in done.stdout + done.stderr
