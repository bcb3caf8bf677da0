"""What the verbs do about state files that are old, newer, damaged, another lab's, or missing.

The files are real, and so is the code that reads them; only the provider pretends.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from labctl.cli.main import cli
from labctl.core.errors import LabError
from labctl.core.progress import Progress, silent
from labctl.core.state import StateError
from labctl.lab import up
from labctl.lab.remove import tear_down
from labctl.lab.saved import load_saved, load_timings
from labctl.providers import table
from labctl.render.secrets import load_secrets
from labctl.topology.lab import Lab
from labctl.topology.layout import roles_of
from labctl.topology.spec import ProviderName, Role
from labctl.topology.workdir import Workdir
from tests.nullprovider import NullProvider
from tests.samples import SAMPLES

OLD = SAMPLES / "labs" / "containers"
STATE_FILES = (
    "topology.json",
    "spec.json",
    "machines.json",
    "timings.json",
    "drill.json",
    "secrets.json",
)
Damage = Callable[[Path], None]


class ReachedError(LabError):
    """The verb came as far as to start machines, which this test has none of."""


@dataclass
class Pretended(NullProvider):
    """A provider that has machines by the folder of their lab."""

    running: dict[Path, list[str]] = field(default_factory=dict)
    cleaned: list[Path] = field(default_factory=list)
    broken: bool = False
    asleep: bool = False

    def prepare(self, lab: Lab, known: Mapping[str, str]) -> dict[str, str]:
        raise ReachedError("Machines would be started now.")

    def ensure(self, progress: Progress) -> None:
        self.asleep = False

    def read_states(self, folder: Workdir) -> dict[str, str]:
        if self.broken or self.asleep:
            raise LabError("The engine does not answer.")
        return dict.fromkeys(self.running.get(folder.path, ()), "running")

    def clean(self, folder: Workdir) -> None:
        self.running.pop(folder.path, None)
        self.cleaned.append(folder.path)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Pretended:
    """Docker, which has machines; the other providers are not installed."""
    pretended = Pretended()
    for name in list(table.TABLE):
        mine = name is ProviderName.DOCKER
        row = pretended if mine else Pretended(name=name, broken=True)
        monkeypatch.setitem(table.TABLE, name, row)  # type: ignore[arg-type]
    images = {role: f"labctl-{role}:new" for role in Role}
    monkeypatch.setattr(up, "ensure_images_of", lambda *_, **__: images)
    monkeypatch.setattr(up, "packages_of", lambda *_: {})
    monkeypatch.setattr(up, "make_current", lambda _: None)
    return pretended


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: Pretended) -> Workdir:
    """The folder of a lab whose files the first labctl wrote, with machines that run."""
    root = tmp_path / "project"
    real = Workdir.of
    monkeypatch.setattr(
        "labctl.cli.common.Workdir.of", lambda name, **given: real(name, **{"root": root} | given)
    )
    monkeypatch.setattr("labctl.lab.current.CURRENT", root / ".lab" / "current")
    monkeypatch.chdir(tmp_path)
    workdir = Workdir.of("containers")
    shutil.copytree(OLD, workdir.path)
    provider.running[workdir.path] = ["jms", "jvb1", "visitors1"]
    for node in provider.running[workdir.path]:
        (workdir.vagrant / "machines" / node / "docker").mkdir(parents=True)
    return workdir


def labctl(*words: str, lab: str = "containers") -> Result:
    return CliRunner().invoke(cli, [*words, "--lab", lab], standalone_mode=False)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: len(text) // 2], encoding="utf-8")


def zeros(path: Path) -> None:
    """As file systems leave it whose power was cut."""
    path.write_bytes(b"\0" * path.stat().st_size)


def other(path: Path) -> None:
    path.write_text('["something", "else"]', encoding="utf-8")


def newer(path: Path) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**data, "format": 99}), encoding="utf-8")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "something").touch()


def gone(path: Path) -> None:
    path.unlink()


DAMAGES: Sequence[Damage] = (empty, cut, zeros, other, newer, a_folder)
damages = pytest.mark.parametrize("damage", DAMAGES, ids=[it.__name__ for it in DAMAGES])
files = pytest.mark.parametrize("name", STATE_FILES)


# What takes a lab away works on anything.


@files
@pytest.mark.parametrize("damage", (*DAMAGES, gone), ids=lambda it: str(it.__name__))
@pytest.mark.parametrize("verb", ["down", "destroy"])
def test_a_lab_with_any_file_damaged_can_be_removed(
    folder: Workdir, provider: Pretended, name: str, damage: Damage, verb: str
) -> None:
    damage(folder.path / name)
    done = labctl(verb)
    assert done.exception is None, done.exception
    assert "Lab 'containers' is down" in done.output
    assert provider.running == {}
    assert provider.cleaned == [folder.path]
    assert folder.path.exists() is (verb == "down")
    # New nodes have no faults.
    assert not (folder.path / "drill.json").exists()


@pytest.mark.parametrize("verb", ["down", "destroy"])
def test_a_lab_of_the_first_labctl_can_be_removed(
    folder: Workdir, provider: Pretended, verb: str
) -> None:
    assert labctl(verb).exception is None
    assert provider.running == {}


def test_what_is_wrong_is_said_while_it_is_removed(folder: Workdir) -> None:
    cut(folder.topology_file)
    said = labctl("destroy").stderr
    assert f"'{folder.topology_file}' is damaged and cannot be read: it ends too early" in said


def test_machines_whose_folder_was_removed_by_hand_are_found(
    folder: Workdir, provider: Pretended
) -> None:
    shutil.rmtree(folder.path)
    assert labctl("destroy").exception is None
    assert provider.running == {}
    assert not folder.path.exists()


def test_an_empty_folder_of_a_lab_is_no_obstacle(folder: Workdir, provider: Pretended) -> None:
    for path in folder.path.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert labctl("destroy").exception is None
    assert provider.running == {}


@pytest.mark.parametrize("verb", ["down", "destroy"])
def test_a_name_without_a_lab_is_an_error_and_leaves_nothing(
    folder: Workdir, provider: Pretended, verb: str
) -> None:
    done = labctl(verb, lab="typo")
    assert str(done.exception) == "There is no lab 'typo'."
    assert not Workdir.of("typo").path.exists()
    assert folder.path in provider.running


@pytest.mark.parametrize("name", ["..", "../..", "", "/", "current", ".cache", "a/../b", "A"])
@pytest.mark.parametrize("verb", ["down", "destroy"])
def test_what_is_no_name_of_a_lab_removes_nothing(folder: Workdir, verb: str, name: str) -> None:
    (folder.path.parent / "current").symlink_to("../..")
    done = labctl(verb, lab=name)
    assert isinstance(done.exception, LabError)
    assert "is not a valid name for a lab" in str(done.exception) or name == ""
    assert OLD.joinpath("topology.json").read_text() == folder.topology_file.read_text()


def test_a_copy_of_a_labs_folder_does_not_take_the_labs_machines(
    folder: Workdir, provider: Pretended
) -> None:
    copy = Workdir.of("copy")
    shutil.copytree(folder.path, copy.path)
    status = labctl("status", lab="copy")
    assert "belongs to lab 'containers', not to 'copy'" in str(status.exception)
    assert labctl("destroy", lab="copy").exception is None
    assert not copy.path.exists()
    assert provider.running == {folder.path: ["jms", "jvb1", "visitors1"]}


def test_a_provider_that_made_the_machines_must_answer(
    folder: Workdir, provider: Pretended
) -> None:
    cut(folder.topology_file)
    provider.broken = True
    done = labctl("destroy")
    assert "The engine does not answer." in str(done.exception)
    assert folder.path.exists()


@pytest.mark.parametrize("known", [True, False], ids=["by Vagrant's state", "by nothing"])
@pytest.mark.parametrize("damage", [None, cut], ids=["a lab", "a damaged lab"])
@pytest.mark.parametrize("verb", ["down", "destroy"])
def test_what_removes_a_lab_starts_the_engine_that_it_needs(
    folder: Workdir, provider: Pretended, verb: str, damage: Damage | None, known: bool
) -> None:
    """Machines and networks outlive the daemon that made them."""
    provider.asleep = True
    if damage:
        damage(folder.topology_file)
    if not known:
        shutil.rmtree(folder.vagrant)
    assert labctl(verb).exception is None
    assert provider.running == {}
    assert provider.cleaned == [folder.path]


def test_a_name_without_a_folder_starts_no_engine(folder: Workdir, provider: Pretended) -> None:
    provider.asleep = True
    assert isinstance(labctl("destroy", lab="typo").exception, LabError)
    assert provider.asleep


@pytest.mark.parametrize("verb", ["status", "halt"])
def test_what_looks_at_machines_starts_the_engine_that_it_needs(
    folder: Workdir, provider: Pretended, verb: str
) -> None:
    provider.running.clear()
    provider.asleep = True
    assert labctl(verb).exception is None
    assert not provider.asleep


# What shows a lab names what is wrong, with what to do.


@damages
def test_status_names_a_topology_that_it_cannot_use(folder: Workdir, damage: Damage) -> None:
    damage(folder.topology_file)
    error = labctl("status").exception
    assert isinstance(error, StateError)
    assert f"'{folder.topology_file}'" in error.message
    assert error.hint is not None
    assert ("labctl destroy" in error.hint) or damage is a_folder


def test_status_says_that_there_is_no_lab(folder: Workdir) -> None:
    gone(folder.topology_file)
    error = labctl("status").exception
    assert isinstance(error, LabError)
    assert (error.message, error.hint) == (
        "There is no lab 'containers'.",
        "Run 'labctl up' to make one.",
    )


# What brings a lab up migrates what is old, and says what it cannot take over.


def begin(*flags: str) -> Result:
    """`labctl up`, until machines would be started."""
    return labctl("up", *flags)


def test_an_old_lab_comes_up_as_what_it_was(folder: Workdir) -> None:
    before, secrets = folder.load_topology(), load_secrets(folder)
    done = begin()
    assert isinstance(done.exception, ReachedError), done.exception
    after = folder.load_topology()
    assert after.spec == before.spec
    roles = roles_of(after.spec)
    assert {node.image for node in after.nodes} == {f"labctl-{role}:new" for role in roles}
    kept = load_secrets(folder)
    assert {name: kept.salts[name] for name in secrets.salts} == secrets.salts
    added = {"salts": secrets.salts, "host_password": "", "app_secret": "", "made": {}}
    assert replace(kept, **added) == replace(secrets, **added), "what existed stays as it was"
    written = {
        name: json.loads((folder.path / name).read_text(encoding="utf-8"))
        for name in ("topology.json", "spec.json", "secrets.json")
    }
    assert {name: data["format"] for name, data in written.items()} == {
        "topology.json": 2,
        "spec.json": 2,
        "secrets.json": 1,
    }
    assert load_saved(folder) == json.loads((OLD / "spec.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("damage", [empty, cut, zeros, other], ids=lambda it: str(it.__name__))
def test_a_damaged_topology_is_named_and_written_anew(folder: Workdir, damage: Damage) -> None:
    wanted = folder.load_topology().spec
    damage(folder.topology_file)
    done = begin()
    assert isinstance(done.exception, ReachedError), done.exception
    said = " ".join(done.stderr.replace("!", " ").split())
    assert "is damaged and cannot be read" in said
    assert "It is now written again." in said
    assert folder.load_topology().spec == wanted


@pytest.mark.parametrize("damage", [newer, a_folder], ids=lambda it: str(it.__name__))
def test_a_topology_that_must_not_be_replaced_stays(folder: Workdir, damage: Damage) -> None:
    damage(folder.topology_file)
    before = sorted(folder.path.rglob("*")), folder.path.stat().st_mtime
    error = begin().exception
    assert isinstance(error, StateError)
    assert str(folder.topology_file) in error.message
    assert error.hint
    assert before == (sorted(folder.path.rglob("*")), folder.path.stat().st_mtime)


def test_another_labs_topology_is_not_replaced(folder: Workdir) -> None:
    copy = Workdir.of("copy")
    shutil.copytree(folder.path, copy.path)
    (copy.path / "spec.json").unlink()
    error = labctl("up", lab="copy").exception
    assert isinstance(error, StateError)
    assert "belongs to lab 'containers', not to 'copy'" in error.message
    assert error.hint == "Run 'labctl destroy --lab copy' to remove this folder."


def test_machines_keep_their_provider_though_the_topology_is_lost(folder: Workdir) -> None:
    gone(folder.topology_file)
    (folder.vagrant / "machines" / "jms" / "docker" / "id").write_text("1")
    error = begin("--provider", "libvirt").exception
    assert isinstance(error, LabError)
    assert "has machines of provider 'docker', not of 'libvirt'" in error.message
    assert isinstance(begin().exception, ReachedError)


@damages
@pytest.mark.parametrize("name", ["spec.json", "secrets.json"])
def test_what_cannot_be_made_again_is_named_and_stays(
    folder: Workdir, name: str, damage: Damage
) -> None:
    """A lab must not silently become another, nor its passwords."""
    path = folder.path / name
    damage(path)
    before = path.read_bytes() if path.is_file() else None
    error = begin().exception
    assert isinstance(error, StateError)
    assert f"'{path}'" in error.message
    assert error.hint is not None and "emove" in error.hint
    assert before == (path.read_bytes() if path.is_file() else None)


@pytest.mark.parametrize("damage", DAMAGES[:-1], ids=lambda it: str(it.__name__))
def test_where_a_lab_conf_says_what_the_lab_is_the_last_run_does_not_count(
    folder: Workdir, tmp_path: Path, damage: Damage
) -> None:
    damage(folder.path / "spec.json")
    config = tmp_path / "lab.conf"
    config.write_text('lab = containers\njvbs = 3\nnetwork = "192.168.68.0/24"\n')
    assert isinstance(begin("--config", str(config)).exception, ReachedError)
    assert load_saved(folder)["jvbs"] == 3


@damages
@pytest.mark.parametrize("name", ["machines.json", "timings.json", "drill.json"])
def test_what_is_made_at_every_run_is_no_obstacle(
    folder: Workdir, name: str, damage: Damage
) -> None:
    damage(folder.path / name)
    assert isinstance(begin().exception, ReachedError)


@damages
def test_timings_that_cannot_be_read_are_an_error_that_reports_tell(
    folder: Workdir, damage: Damage
) -> None:
    damage(folder.path / "timings.json")
    with pytest.raises(StateError) as caught:
        load_timings(folder)
    assert caught.value.hint


def test_a_lab_of_which_nothing_is_there_is_removed_without_an_error(
    provider: Pretended, tmp_path: Path
) -> None:
    """The gate clears before it begins, whether or not an earlier one was killed."""
    folder = Workdir.of("never", root=tmp_path)
    assert tear_down(folder, progress=silent, forget=True) is False
    assert not folder.path.exists()
