"""bin/environment.sh on machines whose Python, pip and folders are not as expected."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.programs, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
SOMEBODY = "54322"
ASK = """
import json, sys, demo, labctl
print(json.dumps([sys.prefix, demo.__file__, labctl.__file__, sys.version_info[:2]]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The line of a lock file for a package that is a file here."""
    path = tmp_path_factory.mktemp("wheel") / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("demo.py", "")
        about = "demo-1.0.dist-info"
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"demo @ {path.as_uri()} --hash=sha256:{digest}\n"


def project(folder: Path, wheel: str) -> Path:
    """A project that is as labctl is, but has only one small package."""
    (folder / "bin").mkdir(parents=True)
    (folder / "labctl").mkdir()
    (folder / "labctl" / "__init__.py").touch()
    (folder / "labctl" / "__main__.py").write_text(ASK, encoding="utf-8")
    for name in ("labctl", "environment.sh"):
        shutil.copy(ROOT / "bin" / name, folder / "bin" / name)
    (folder / "requirements.lock").write_text(wheel, encoding="utf-8")
    return folder


def start(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, "LABCTL_PYTHON": sys.executable, **env}
    command = ["sh", folder / "bin" / "labctl"]
    return subprocess.run(command, env=settings, cwd="/", capture_output=True, text=True)


def answer(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def test_settings_of_the_users_own_python_do_not_matter(tmp_path: Path, wheel: str) -> None:
    """All that is known to break `pip install` at once; each alone did."""
    poison, home = tmp_path / "poison", tmp_path / "home"
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".config" / "pip" / "pip.conf").write_text(
        "[global]\nrequire-virtualenv = true\nindex-url = https://mirror.example/simple\n"
        f"[install]\nuser = true\ntarget = {tmp_path / 'target'}\nno-binary = :all:\n"
    )
    poison.mkdir()
    for name in ("venv", "pip", "json", "ensurepip", "sitecustomize"):
        (poison / f"{name}.py").write_text("raise SystemExit('poisoned')\n")
    root = project(tmp_path / "project", wheel)
    env = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "PIP_USER": "1",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_PREFIX": str(tmp_path / "prefix"),
        "PIP_CONSTRAINT": str(tmp_path / "missing.txt"),
        "PYTHONPATH": str(poison),
        "PYTHONHOME": str(poison),
        "PYTHONWARNINGS": "error",
    }
    prefix, demo, ours, _ = answer(start(root, **env))
    assert prefix == str(root / ".venv") and demo.startswith(prefix)
    assert ours == str(root / "labctl" / "__init__.py")
    assert not (tmp_path / "target").exists() and not (tmp_path / "prefix").exists()


def test_how_packages_are_reached_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://ann:secret@mirror.example/simple\ncert = /etc/company.pem\n"
        "user = true\n[install]\ntrusted-host = a.example\n    b.example\n",
        encoding="utf-8",
    )
    script = f'root=/nowhere; . "{ROOT}/bin/environment.sh"; python=$1; pip_settings'
    others = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    env = {**others, "PIP_CONFIG_FILE": str(file), "PIP_USER": "1", "PIP_TIMEOUT": "7"}
    words = ["sh", "-c", script, "sh", sys.executable]
    said = subprocess.run(words, env=env, capture_output=True, text=True, check=True).stdout
    show = f'{said}\nenv | grep ^PIP_ | sort; echo "$PIP_TRUSTED_HOST"'
    shown = subprocess.run(["sh", "-c", show], env=env, capture_output=True, text=True).stdout
    assert "PIP_INDEX_URL=https://ann:secret@mirror.example/simple\n" in shown
    assert "PIP_CERT=/etc/company.pem\n" in shown and "PIP_TIMEOUT=7\n" in shown
    assert "PIP_CONFIG_FILE=/dev/null\n" in shown and "PIP_USER" not in shown
    assert shown.split()[-2:] == ["a.example", "b.example"]


@pytest.mark.parametrize(
    "name",
    ['50%h of $HOME, it\'s "Köln"', "l" * 120],
    ids=["awkward characters", "long"],
)
def test_the_project_may_be_anywhere(name: str, tmp_path: Path, wheel: str) -> None:
    root = project(tmp_path / name, wheel)
    prefix, *_, ours, _ = answer(start(root, LC_ALL="C"))
    assert Path(prefix) == root / ".venv" and Path(ours).parent.parent == root
    # The file that leads to the project is read in the locale of every call.
    assert Path(answer(start(root, LC_ALL="C.UTF-8", PYTHONUTF8="1"))[2]).parent.parent == root


def test_a_path_with_a_colon_has_its_environment_elsewhere(tmp_path: Path, wheel: str) -> None:
    root = project(tmp_path / "a:b", wheel)
    prefix, *_, ours, _ = answer(start(root, XDG_CACHE_HOME=str(tmp_path / "cache")))
    assert Path(prefix).parent == tmp_path / "cache" / "labctl"
    assert ours == str(root / "labctl" / "__init__.py") and not (root / ".venv").exists()
    again = start(root, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert answer(again)[0] == prefix and "installing" not in again.stderr
    chosen = answer(start(root, LABCTL_VENV=str(tmp_path / "chosen")))
    assert chosen[0] == str(tmp_path / "chosen")


def test_a_project_on_a_noexec_file_system_has_its_environment_elsewhere(
    tmp_path: Path, wheel: str
) -> None:
    place, cache = tmp_path / "place", tmp_path / "cache"
    place.mkdir()
    project(tmp_path / "project", wheel)
    script = f"""
    mount -t tmpfs -o noexec none {place} && cp -r {tmp_path}/project {place}/ &&
    exec sh {place}/project/bin/labctl
    """
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        env={**os.environ, "LABCTL_PYTHON": sys.executable, "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
    )
    if done.returncode and "unshare" in done.stderr:
        pytest.skip(f"this machine does not let tests make namespaces: {done.stderr.strip()}")
    assert Path(answer(done)[0]).parent == cache / "labctl"


def test_no_place_for_the_environment_is_told(tmp_path: Path, wheel: str) -> None:
    root = project(tmp_path / "a:b", wheel)
    try:
        done = start(
            root, XDG_CACHE_HOME="/proc/none", PATH=f"{fake_id(tmp_path)}:{os.environ['PATH']}"
        )
    finally:
        shutil.rmtree(f"/var/tmp/labctl-{SOMEBODY}", ignore_errors=True)
    assert done.returncode == 1
    assert "the path has a colon, or it is noexec" in done.stderr
    assert "Hint: Set LABCTL_VENV to a folder in which programs may run." in done.stderr


def fake_id(folder: Path) -> Path:
    """An `id` with a number of somebody else, whose folders are not ours."""
    (folder / "id").write_text(f"#!/bin/sh\necho {SOMEBODY}\n")
    (folder / "id").chmod(0o755)
    return folder


def interpreters() -> list[str]:
    """Every Python of this machine that labctl promises to run on, each version once."""
    names = [f"python3.{minor}" for minor in range(11, 15)]
    places = [shutil.which(name) for name in names]
    pyenv = sorted(Path("~/.pyenv/versions").expanduser().glob("3.1[1-4].*/bin/python3"))
    found: dict[str, str] = {}
    for path in [*map(str, pyenv), *filter(None, places)]:
        ask = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
        done = subprocess.run([path, "-c", ask], capture_output=True, text=True)
        if done.returncode == 0:
            found.setdefault(done.stdout.strip(), path)
    return list(found.values())


def test_every_python_of_this_machine_makes_the_environment(tmp_path: Path, wheel: str) -> None:
    for number, path in enumerate(interpreters()):
        root = project(tmp_path / str(number), wheel)
        found = answer(start(root, LABCTL_PYTHON=path))[3]
        assert (3, 11) <= tuple(map(int, found)) <= (3, 14)


@pytest.mark.parametrize("minor", [11, 12, 13, 14])
def test_a_newer_python_is_found_beside_an_old_one(minor: int, tmp_path: Path) -> None:
    """Decided by names and answers: not every version is on every machine."""
    for name, enough in (("python3", False), (f"python3.{minor}", True)):
        text = (
            f'#!/bin/sh\ncase "$*" in *executable*) echo "$0";; *) exit {int(not enough)};; esac\n'
        )
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    script = f'root=/nowhere; . "{ROOT}/bin/environment.sh"; find_python; echo "$base"'
    env = {"PATH": f"{tmp_path}:/nonexistent"}
    done = subprocess.run(["/bin/sh", "-c", script], env=env, capture_output=True, text=True)
    assert done.stdout.strip() == str(tmp_path / f"python3.{minor}"), done.stderr
