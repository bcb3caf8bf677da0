"""Users as systems have them: umask, locale, no name, no home, no sudo, few files, full disks."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labctl.core import privilege, process
from labctl.core.checks import CheckStatus
from labctl.core.errors import LabError, UsageError
from labctl.core.privilege import Privilege, find_privilege, run_as_root
from labctl.core.process import run
from labctl.core.progress import silent
from labctl.core.user import MOST_FILES, ensure_home, expand, raise_file_limit, user_name
from labctl.host.user import check_files, check_folders, check_user, unknown_user
from labctl.images.bakeinput import BakeInput, save_input
from labctl.images.debian import Mirror, load_release
from labctl.images.jitsi import Repository
from labctl.images.packages import PackageSet
from labctl.lab import machines
from labctl.topology.spec import ProviderName, Role
from tests.hosts.netns import look

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 54321
"""A number that no user database has."""


@pytest.fixture(params=["022", "027", "077"])
def umask(request: pytest.FixtureRequest) -> Any:
    old = os.umask(int(request.param, 8))
    yield request.param
    os.umask(old)


@pytest.mark.programs
@pytest.mark.usefixtures("umask")
def test_what_programs_write_can_be_read_by_others(tmp_path: Path) -> None:
    """mmdebstrap's hooks, dpkg-deb and QEMU write what apt's user, root in a user namespace and
    libvirt's user read."""
    run(["sh", "-c", "mkdir folder && echo x > folder/file"], cwd=tmp_path)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("folder", "folder/file")]
    assert modes == [0o755, 0o644]


@pytest.mark.usefixtures("umask")
def test_the_input_of_a_bake_can_be_read_by_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modes go to the machine with it, and there apt downloads as the user `_apt`."""
    authorities = tmp_path / "company.crt"
    authorities.write_text("-----BEGIN CERTIFICATE-----\n", encoding="utf-8")
    settings = {"Acquire::https::CAInfo": str(authorities)}
    mirror = Mirror("https://mirror.example/debian", settings=settings)
    given = BakeInput(Role.JVB, PackageSet((), Repository()), mirror, load_release())
    save_input(given, folder=tmp_path / "input")
    modes = {
        path.name: path.stat().st_mode & 0o777
        for path in (tmp_path / "input", *(tmp_path / "input").rglob("*"))
    }
    assert modes["input"] == modes["repository"] == 0o755
    assert modes["ca.crt"] == modes["apt.conf"] == modes["Packages"] == 0o644


@pytest.mark.programs
def test_programs_speak_english_in_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANG", "LC_ALL", "LC_MESSAGES", "LANGUAGE"):
        monkeypatch.setenv(name, "de_DE.ISO-8859-1")
    assert run(["sh", "-c", 'echo "$LC_ALL,$LANGUAGE"']).output == "C.UTF-8,\n"


SHOW = """
import importlib, sys, click
it = importlib.import_module("labctl.cli.main")
it.cli = click.Command("labctl", callback=lambda: click.echo("✓ ready in “Köln”"))
sys.argv = ["labctl"]
it.main()
"""


@pytest.mark.programs
@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("latin-1", "? ready in ?Köln?"),
        ("utf-8", "✓ ready in “Köln”"),
    ],
)
def test_a_terminal_without_utf_8_gets_what_it_can_show(encoding: str, shown: str) -> None:
    env = {**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-c", SHOW], env=env, cwd=ROOT, capture_output=True)
    assert (done.returncode, done.stdout.decode(encoding).strip()) == (0, shown)


def as_user(number: int, question: Callable[[], Any], **env: str) -> Any:
    """The answer of a function of this module, asked by another user."""
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    name = question.__name__
    # Python and this checkout may be closed to that user, so all is imported before.
    become = f"os.setgroups([]); os.setgid({number}); os.setuid({number})"
    code = f"import json, os\nfrom {__name__} import {name}\n{become}\nprint(json.dumps({name}()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def who() -> list[str | None]:
    error, check = unknown_user(), check_user()
    ssh = run(["ssh", "-G", "node"], check=False).errors.strip()
    return [str(ensure_home()), user_name(), error and error.hint, check.status, ssh]


@pytest.mark.programs
@pytest.mark.parametrize(
    "env", [{}, {"HOME": "/"}, {"HOME": "/no/such"}], ids=["unset", "/", "gone"]
)
def test_a_user_without_name_and_home_is_told(env: dict[str, str]) -> None:
    home, name, hint, status, ssh = as_user(NOBODY, who, **env)
    assert (home, name) == (f"/var/tmp/labctl-home-{NOBODY}", f"#{NOBODY}")
    assert Path(home).stat().st_mode & 0o777 == 0o700
    assert status == "fail"
    assert hint == f"Run as root: echo 'lab:x:{NOBODY}:{NOBODY}::{home}:/bin/sh' >> /etc/passwd"
    # Which is why.
    assert ssh == f"No user exists for uid {NOBODY}"
    Path(home).rmdir()


@pytest.fixture
def _unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: NOBODY)
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)


@pytest.mark.usefixtures("_unknown")
def test_up_says_so_before_anything_is_installed() -> None:
    with pytest.raises(LabError, match=f"number {NOBODY}, is in no user database"):
        machines.ensure_provider(ProviderName.DOCKER, progress=silent)


def test_home_is_what_is_named_and_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ensure_home() == tmp_path
    monkeypatch.delenv("HOME")
    assert os.environ.get("HOME") is None and ensure_home().is_dir()
    assert os.environ["HOME"] == str(ensure_home()), "programs need it, too"


def test_a_home_of_somebody_unknown_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="names a home folder that this system does not know"):
        expand("~nobody-has-this-name/debs")


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user who is not root; the folder is all of PATH."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(privilege.sys, "stdin", None)
    return tmp_path


def test_without_sudo_the_command_is_told(plain: Path) -> None:
    assert find_privilege() is Privilege.NONE
    with pytest.raises(LabError) as caught:
        run_as_root(["service", "docker", "start"], what="Starting the engine")
    assert caught.value.hint == "Run as root: service docker start"


@pytest.mark.programs
def test_sudo_that_would_ask_nobody_counts_as_none(plain: Path) -> None:
    sudo = plain / "sudo"
    sudo.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    sudo.chmod(0o755)
    assert find_privilege() is Privilege.NONE
    sudo.write_text("#!/bin/sh\nexit 0\n")
    assert find_privilege() is Privilege.SUDO


def test_sudo_that_hangs_is_no_crash(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (plain / "sudo").touch(mode=0o755)

    def hang(*_: object, **__: object) -> None:
        raise process.ProgramTimeoutError("'sudo -n true' did not end within 20 s.")

    monkeypatch.setattr(process, "run", hang)
    assert find_privilege() is Privilege.NONE


def limits() -> list[int]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    raised = raise_file_limit()
    return [soft, hard, raised, resource.getrlimit(resource.RLIMIT_NOFILE)[0]]


@pytest.mark.programs
@pytest.mark.parametrize("hard", [400, 4096])
def test_a_low_limit_of_open_files_is_raised_as_far_as_it_may_be(hard: int) -> None:
    assert look(f"ulimit -Sn 64; ulimit -Hn {hard}", limits) == [64, hard, hard, hard]
    assert hard <= MOST_FILES
    check = check_files(hard)
    assert (check.status is CheckStatus.WARN) == (hard == 400)
    assert check.status is CheckStatus.OK or "ulimit -Hn" in (check.hint or "")


def folders() -> dict[str, list[str]]:
    return {check.name: [check.status, check.found] for check in check_folders()}


@pytest.mark.programs
def test_a_home_without_programs_and_a_full_tmp_are_named(tmp_path: Path) -> None:
    home, full = tmp_path / "home", tmp_path / "full"
    home.mkdir()
    full.mkdir()
    setup = f"""
    mount -t tmpfs -o noexec,size=100m none {home}
    mount -t tmpfs -o size=1m none {full}
    export HOME={home} TMPDIR={full}
    """
    found = look(setup, folders)
    assert found["home"][0] == "warn" and "mounted noexec" in found["home"][1]
    assert found[f"disk, {full}"] == ["fail", "1 MiB free"]
    assert found["disk, /var/tmp"][0] == "ok"
    assert look(f"export HOME={tmp_path}", folders)["home"] == ["ok", str(tmp_path)]
