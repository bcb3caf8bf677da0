"""A crowd on a lab's other machines: their containers, and the image that these start."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.core.progress import silent
from labctl.providers.base import no_crowd_hosts
from labctl.providers.docker import crowdhosts, crowdimage, spread
from labctl.providers.docker.crowdhosts import check_addresses, crowd_hosts, remove_crowd
from labctl.providers.docker.crowdimage import FOLDER, add_code, crowd_reference, read_code
from labctl.providers.table import TABLE
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from tests.fakes.engines import FakeEngines
from tests.providers.docker.test_spread import HOSTS, joined, lab  # noqa: F401  a fixture

IMAGE = "labctl/crowd:13-0123456789ab"
CODE = {"labctl/__init__.py": b"", "labctl/core/plain.py": b"x = 1\n"}


@pytest.fixture
def ready(lab: Lab, engines: FakeEngines, monkeypatch: pytest.MonkeyPatch) -> Lab:  # noqa: F811
    """The lab is up on two machines, and the image is made."""
    joined(engines)
    engines.says("local", "network ls --quiet", "0e7\n")
    layers = f'[{{"RepoTags": ["{IMAGE}"], "RootFS": {{"Layers": ["a"]}}, "Config": {{}}}}]'
    engines.says("local", "image inspect", layers)
    monkeypatch.setattr(crowdhosts, "ensure_crowd_image", lambda release, progress: IMAGE)
    return lab


def test_a_container_on_each_other_machine(ready: Lab, engines: FakeEngines) -> None:
    told: list[str] = []
    [host] = crowd_hosts(
        ready, processes=2, progress=lambda _, message, node=None: told.append(message)
    )
    assert (host.name, host.env) == ("lab2", {"DOCKER_HOST": "ssh://lab2"})
    assert "DOCKER_HOST=ssh://lab2 docker info" in host.hint
    words = " ".join(host.python)
    assert words.startswith("docker run --rm --interactive --pull never")
    assert words.endswith(f"{IMAGE} python3 -P")
    for each in ("--cap-drop ALL", "no-new-privileges", "--read-only", "--user 65534:65534"):
        assert each in words
    assert "--network 0e7 " in words, "by its id: another lab there may have one of that name"
    assert "labctl.node" not in words and "labctl.lab" not in words
    assert [line.partition(":")[0] for line in engines.of("image load")] == ["lab2"]
    assert told == [f"sending {IMAGE} to 'lab2'"]


def test_a_lab_without_a_network_is_not_joined(ready: Lab, engines: FakeEngines) -> None:
    engines.says("local", "network ls --quiet", "")
    with pytest.raises(LabError, match="Lab 'demo' has no network"):
        crowd_hosts(ready, processes=1, progress=silent)
    assert engines.of("image load") == []


def test_a_lost_machine_is_named_before_anybody_comes(ready: Lab, engines: FakeEngines) -> None:
    engines.lost = {"lab2"}
    with pytest.raises(LabError, match="machine 'lab2' does not answer"):
        crowd_hosts(ready, processes=1, progress=silent)


def test_a_lab_on_one_machine_has_no_others(ready: Lab, engines: FakeEngines) -> None:
    for hosts in ((), ("local",)):
        alone = Lab(ready.folder, resolve(replace(ready.topology.spec, hosts=hosts)))
        assert crowd_hosts(alone, processes=1, progress=silent) == ()
    assert engines.asked == []
    assert no_crowd_hosts(ready, processes=1, progress=silent) == ()
    assert all(provider.spreads or provider.crowd_hosts(ready, processes=1, progress=silent) == ()
               for provider in TABLE.values())  # fmt: skip


@pytest.mark.parametrize(("machines", "most"), [(2, 30), (3, 14), (5, 6)])
def test_there_are_so_many_addresses(machines: int, most: int) -> None:
    check_addresses(machines, processes=most)
    with pytest.raises(LabError, match=f"for {most} processes") as caught:
        check_addresses(machines, processes=most + 1)
    assert f"'--processes {most}'" in (caught.value.hint or "")


def test_what_is_left_is_removed_with_the_lab(
    lab: Lab,  # noqa: F811
    engines: FakeEngines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spread, "recorded_hosts", lambda _: HOSTS)
    remove_crowd(lab.folder, "ssh://lab2")
    [asked] = engines.asked
    assert f"label=labctl.crowd=demo --filter label=labctl.workdir={lab.folder.path}" in asked
    engines.says("lab2", "ps --all --quiet --filter label=labctl.crowd=demo", "c0\nc1\n")
    spread.clean(lab.folder)
    assert "lab2: docker rm --force --volumes c0 c1" in engines.asked


def test_the_image_is_named_by_its_content(monkeypatch: pytest.MonkeyPatch) -> None:
    def name(release: str = "13", suite: str = "trixie", **code: bytes) -> str:
        return crowd_reference(release, suite=suite, code=code)

    monkeypatch.setattr(crowdimage, "host_architecture", lambda: "amd64")
    assert name(a=b"1") == name(a=b"1") and name().startswith("labctl/crowd:13-")
    assert len({name(a=b"1"), name(a=b"2"), name(b=b"1"), name(suite="sid", a=b"1")}) == 4


def test_the_code_is_of_three_packages() -> None:
    names = set(read_code())
    assert {"labctl/__init__.py", "labctl/crowd/share.py", "labctl/topology/hosts.py"} <= names
    assert {Path(name).parts[1] for name in names} == {"__init__.py", "core", "crowd", "topology"}
    assert all(name.endswith(".py") for name in names)


def test_code_is_added_as_roots(tmp_path: Path) -> None:
    archive = tmp_path / "tree.tar"
    with tarfile.open(archive, "w") as file:
        file.addfile(tarfile.TarInfo("./etc"))
    add_code(archive, CODE)
    with tarfile.open(archive) as file:
        found = {entry.name: entry for entry in file}
        [plain] = [entry for name, entry in found.items() if name.endswith("plain.py")]
        content = file.extractfile(plain)
        assert content is not None and content.read() == b"x = 1\n"
    top = f"./{FOLDER}/labctl"
    assert set(found) == {
        "./etc", top, f"{top}/core", f"{top}/__init__.py", f"{top}/core/plain.py"
    }  # fmt: skip
    assert found[top].isdir() and found[top].mode == 0o755
    assert (plain.uid, plain.gid, plain.mode) == (0, 0, 0o644)
