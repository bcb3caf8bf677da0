"""Whether an engine sees this machine's files, asked of real engines."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.core.privilege import find_program
from labctl.core.waiting import Deadline, wait_until
from labctl.providers.docker import checks, engine
from labctl.providers.docker.engine import ask_engine
from labctl.providers.docker.sharing import is_doubtful, mount_words, refuse_files


@pytest.mark.parametrize(
    ("endpoint", "inside", "process", "doubtful"),
    [
        pytest.param("", False, "dockerd", False, id="this machine's"),
        pytest.param("unix:///run/docker.sock", False, "init", False, id="a socket"),
        pytest.param("", True, "dockerd", False, id="a container with an engine"),
        pytest.param("", True, "sh", True, id="a container with its host's socket"),
        pytest.param("tcp://localhost:2375", False, "dockerd", True, id="Docker in Docker"),
    ],
)
def test_who_may_have_other_files(
    endpoint: str, inside: bool, process: str, doubtful: bool, tmp_path: Path
) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "comm").write_text(f"{process}\n")
    mark = tmp_path if inside else tmp_path / "nowhere"
    assert is_doubtful(endpoint, mark=mark, processes=tmp_path) is doubtful


def test_awkward_paths_are_told_as_docker_reads_them() -> None:
    path = Path('/a b/50%, "q"/x')
    [fields] = csv.reader([mount_words(path)])
    assert fields == ["type=bind", f"source={path}", "target=/seen", "readonly"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder that the other engine sees, and one that it does not."""
    return tmp_path_factory.mktemp("seen"), tmp_path_factory.mktemp("hidden")


@pytest.fixture(scope="module")
def other_engine(folders: tuple[Path, Path]) -> Iterator[str]:
    """The address of an engine with other mounts, as Docker in Docker has beside a job.

    It has a network namespace of its own as well: an engine removes bridges that it does not know.
    """
    dockerd = find_program("dockerd")
    if dockerd is None or os.geteuid() != 0:
        pytest.skip("needs dockerd and root")
    place = Path("/var/tmp") / f"labctl-test-engine-{os.getpid()}"
    place.mkdir()
    address = f"unix://{place}/socket"
    script = (
        'mount -t tmpfs none "$1"; exec "$2" --host "$3" --data-root "$4/data" --exec-root "$4/run"'
        ' --pidfile "$4/pid" --bridge none --iptables=false --ip-masq=false --storage-driver vfs'
    )
    words = ["unshare", "--mount", "--net", "sh", "-c", script, "sh"]
    with (place / "log").open("w", encoding="utf-8") as log:
        child = subprocess.Popen(
            [*words, folders[1], dockerd, address, place], stdout=log, stderr=log
        )
    try:
        ask = ["docker", "--host", address, "version"]
        wait_until(
            lambda: (
                child.poll() is not None or not subprocess.run(ask, capture_output=True).returncode
            ),
            deadline=Deadline.after(30),
            interval=0.2,
        )
        if child.poll() is not None:
            said = (place / "log").read_text(encoding="utf-8")
            pytest.skip(f"a second engine does not start here: {said[-500:]}")
        yield address
    finally:
        child.terminate()
        child.wait(timeout=30)
        shutil.rmtree(place, ignore_errors=True)


BESIDE = "tcp://localhost:2375"


@pytest.mark.engine
def test_an_engine_beside_us_is_asked_for_our_files(
    other_engine: str, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", other_engine)
    seen, hidden = folders
    assert refuse_files(BESIDE, folder=seen) is None
    error = refuse_files(BESIDE, folder=hidden)
    assert error is not None and error.finding is Finding.ENGINE_FILES
    assert f"'{BESIDE}' does not see the folder '{hidden}'" in error.message
    listing = ["docker", "ps", "--all", "--quiet"], ["docker", "images", "--quiet"]
    assert [subprocess.run(words, capture_output=True, text=True).stdout for words in listing] == [
        "",
        "",
    ]
    assert list(seen.iterdir()) == list(hidden.iterdir()) == []


@pytest.mark.engine
def test_up_and_doctor_say_it_before_anything_is_baked(
    other_engine: str, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", other_engine)
    for module in (engine, checks):
        monkeypatch.setattr(
            module, "refuse_files", lambda endpoint: refuse_files(BESIDE, folder=folders[1])
        )
    with pytest.raises(LabError, match="does not see the folder") as caught:
        engine.ensure_engine(lambda phase, text, **_: None)
    check = checks.check_engine(ask_engine())
    assert check.finding is caught.value.finding is Finding.ENGINE_FILES
