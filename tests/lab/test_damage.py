"""Any file of a lab, damaged in any way: a clear error or a recovery, and never a traceback.

`labctl up` runs up to the point at which machines would start, so every file is there that a lab
has on this machine; only the provider pretends.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from labctl.core.errors import LabError
from labctl.core.progress import Timings
from labctl.core.state import save_state
from labctl.drills.journal import journal_path
from labctl.lab.network import CHOSEN, chosen_file
from labctl.lab.saved import save_timings
from labctl.providers import vagrant
from labctl.ready.record import save_record
from labctl.topology.lab import Lab
from labctl.topology.workdir import Workdir
from tests.lab.test_survival import (  # noqa: F401 (fixtures)
    DAMAGES,
    OLD,
    Damage,
    Pretended,
    ReachedError,
    a_folder,
    begin,
    folder,
    gone,
    labctl,
    provider,
)


def foreign(path: Path) -> None:
    """What another lab, or another program, has there."""
    other = next((OLD.parent / "machines").rglob(path.name), None)
    path.write_text(other.read_text() if other else "-----BEGIN\n{'x': 1}\n", encoding="utf-8")


def unreadable(path: Path) -> None:
    """A link that leads nowhere: it is there, and it is not."""
    path.unlink()
    path.symlink_to("/nowhere/at/all")


def not_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00\x80" * 9)


@pytest.fixture
def whole(folder: Workdir, monkeypatch: pytest.MonkeyPatch) -> Workdir:  # noqa: F811
    """A lab with every file that one can have on this machine."""

    def refuse(*_: object, **__: object) -> None:
        raise ReachedError("Machines would be started now.")

    monkeypatch.setattr(Pretended, "prepare", lambda *_: {})
    # Some thousand files are written here, none of which must survive a power cut.
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.setattr(vagrant, "prove_local", refuse)
    monkeypatch.setattr("labctl.lab.status.probe_all", lambda *_: {})
    forgets = SimpleNamespace(destroy=lambda: None)
    monkeypatch.setattr(vagrant.VagrantMachines, "_vagrant", lambda *_: forgets)
    assert isinstance(begin().exception, ReachedError)
    save_timings(folder, Timings())
    save_record(folder, {"jvb": "", "jvb1": "it is deaf"}, by="up")
    save_state(chosen_file(folder), CHOSEN, {"network": str(Lab.load(folder).topology.network)})
    shutil.copy(OLD / "drill.json", journal_path(folder))
    for node in ("jms", "jvb1"):
        (folder.vagrant / "machines" / node / "docker" / "id").write_text("1" * 64)
    folder.logs.mkdir(exist_ok=True)
    (folder.logs / "vagrant.log").write_text("$ vagrant up\n")
    return folder


def files_of(folder: Workdir) -> Iterator[Path]:  # noqa: F811
    """One file of each kind: of the rendered ones, the manifest, and one that is secret."""
    rendered = ("jms/manifest.json", "certs/meet.lab.internal.key")
    for path in sorted(folder.path.rglob("*")):
        inside = path.is_relative_to(folder.tree) and not str(path).endswith(rendered)
        alike = path.name.startswith(("auth.", "v1.", "v2."))
        alike = alike or not {"jvb1", "visitors1"}.isdisjoint(path.parts)
        if path.is_file() and not inside and not alike:
            yield path.relative_to(folder.path)


STAND = ("topology.json", "spec.json", "secrets.json", "ca", "ssh", "network.json", "vagrant")
"""What `up` may refuse to go on with: it is the lab's identity, or says what must be removed."""


def problem(error: BaseException | None, *, stops: bool) -> str:
    """What is wrong with how a verb ended; empty if it went on, or said what the user must do."""
    if error is None or isinstance(error, ReachedError):
        return ""
    if not isinstance(error, LabError):
        return f"a traceback: {error!r}"
    if stops:
        return f"stops: {error.message}"
    return "" if error.hint else f"no hint: {error.message}"


damages = pytest.mark.parametrize(
    "damage", [*DAMAGES, gone, foreign, unreadable, not_text], ids=lambda it: str(it.__name__)
)


def harm(path: Path, damage: Damage) -> None:
    with suppress(ValueError, TypeError):  # only JSON has a format
        damage(path)


@damages
def test_no_file_of_a_lab_is_a_traceback(whole: Workdir, tmp_path: Path, damage: Damage) -> None:
    pristine, found = tmp_path / "pristine", dict[str, str]()
    shutil.copytree(whole.path, pristine, symlinks=True)
    names = list(files_of(whole))
    assert {"secrets.json", "network.json", "media.json", "ca/ca.key", "ssh/config"} <= {
        str(name) for name in names
    }
    for name in names:
        for verb in ("status", "up"):
            harm(whole.path / name, damage)
            error = labctl(verb).exception
            stops = verb == "up" and name.parts[0] not in STAND and damage is not a_folder
            if said := problem(error, stops=stops):
                found[f"{verb}: {name}"] = said
            shutil.rmtree(whole.path)
            shutil.copytree(pristine, whole.path, symlinks=True)
    assert json.dumps(found, indent=2) == "{}"


@damages
@pytest.mark.parametrize("verb", ["down", "destroy"])
def test_a_lab_in_which_every_file_is_damaged_can_be_removed(
    whole: Workdir,
    provider: Pretended,  # noqa: F811
    damage: Damage,
    verb: str,
) -> None:
    for name in set(files_of(whole)) - {Path("topology.json")}:
        harm(whole.path / name, damage)
    assert labctl(verb).exception is None
    assert provider.running == {}
    assert whole.path.exists() is (verb == "down")
