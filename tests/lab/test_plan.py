"""`labctl plan`: what an `up` would do, against what it then does; nothing is changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from labctl.cli.plan import MACHINE_WORDS, plan_command
from labctl.core.errors import LabError
from labctl.core.progress import Timings, silent
from labctl.images.baketimes import note_bake
from labctl.lab import current
from labctl.lab.bakes import Bakes
from labctl.lab.expect import note_duration, shape_of
from labctl.lab.plan import MachineVerb, UpPlan, make_up_plan
from labctl.lab.saved import save_timings
from labctl.lab.up import bring_up
from labctl.providers import table
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import ProviderName, Role, Spec
from tests.fakes.host import FakeHost
from tests.fakes.nodes import FakeNodes

SPEC = Spec(lab="demo", jvbs=1, visitors=2)
DATA = {"lab": "demo", "provider": "docker", "jvbs": 1, "visitors": 2}
IMAGES = dict.fromkeys(Role, "image")


@pytest.fixture(autouse=True)
def _pretended(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current, "CURRENT", tmp_path / "current")
    monkeypatch.setattr(current, "ensure_plain_vagrant", lambda *_: None)
    monkeypatch.setattr("labctl.lab.plan.plan_bakes", lambda *_, **__: Bakes(IMAGES))
    monkeypatch.setattr("labctl.lab.plan.available_mib", lambda: 20_000)
    monkeypatch.setattr("labctl.topology.workdir.Workdir.of", lambda name: lab.folder)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def is_up(lab: Lab, nodes: FakeNodes) -> None:
    """The lab as an `up` has left it."""
    for node in lab.topology.nodes:
        FakeHost.on(nodes, node.name)
    bring_up(SPEC, DATA, workdir=lab.folder, progress=silent, refresh=False)


def plan(lab: Lab, spec: Spec = SPEC) -> UpPlan:
    return make_up_plan(spec, DATA, workdir=lab.folder, progress=silent, refresh=False)


def listing(folder: Path) -> list[tuple[str, int, bytes]]:
    return sorted(
        (str(path), path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
    )


def run(*words: str) -> Any:
    return CliRunner().invoke(plan_command, ["--lab", "demo", *words], standalone_mode=False)


@pytest.mark.usefixtures("is_up")
def test_after_an_up_nothing_would_change(lab: Lab) -> None:
    assert plan(lab).empty
    assert run().stdout.endswith("\nNothing would change.\n")


@pytest.mark.usefixtures("is_up")
def test_the_units_that_it_names_are_those_that_up_restarts(lab: Lab) -> None:
    spec = Spec(lab="demo", jvbs=1, visitors=2, max_participants=3)
    planned = {node.name: node.tree.restart for node in plan(lab, spec).nodes}
    outcome = bring_up(spec, DATA, workdir=lab.folder, progress=silent, refresh=False).outcome
    assert planned == {name: node.restarted for name, node in outcome.nodes.items()}
    assert planned["jms"] == ("jicofo.service",)


@pytest.mark.usefixtures("is_up")
def test_nothing_is_changed(lab: Lab, tmp_path: Path) -> None:
    before = listing(tmp_path)
    done = run("--jvbs", "3", "--visitors", "4", "--network", "auto", "--domain", "x.example.org")
    assert done.exception is None
    assert "jvb3 192.168.56.108: make the machine\n" in done.stdout
    assert listing(tmp_path) == before


def test_nothing_is_made_for_a_new_lab(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.folder.topology_file.unlink()
    monkeypatch.setattr("labctl.lab.network.check_machine", lambda *_, **__: None)
    monkeypatch.setattr(table.TABLE[ProviderName.DOCKER], "states", {})
    before = listing(tmp_path)
    done = run("--network", "auto", "--jvbs", "0", "--visitors", "0")
    assert "a new lab" in done.stdout
    assert "  start: nftables.service, prosody.service, nginx.service" in done.stdout
    assert listing(tmp_path) == before


@pytest.mark.usefixtures("is_up")
def test_no_secret_is_shown(lab: Lab) -> None:
    done = run("--visitors", "3", "--domain", "x.example.org", "--turn", "--auth", "internal")
    as_json = run("--visitors", "3", "--domain", "x.example.org", "--json").stdout
    kept = json.loads(lab.folder.secrets_file.read_text())
    values = [*kept["vnode_passwords"].values(), *kept["salts"].values()]
    values += [kept[name] for name in ("focus_password", "jvb_password", "turn_secret")]
    assert not [value for value in values if value in done.stdout + as_json]
    assert "PRIVATE KEY" not in done.stdout + as_json
    assert "[secret]" in done.stdout


@pytest.mark.usefixtures("is_up")
def test_machines_that_come_go_start_and_are_made_anew(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = {"jms": "running", "jvb1": "stopped", "visitors1": "running"}
    monkeypatch.setattr(table.TABLE[ProviderName.DOCKER], "states", states)
    images = {**IMAGES, Role.JMS: "another"}
    monkeypatch.setattr("labctl.lab.plan.plan_bakes", lambda *_, **__: Bakes(images))
    found = plan(lab, Spec(lab="demo", jvbs=2, visitors=0))
    assert {it.name: (it.machine, it.why) for it in found.nodes} == {
        "jms": (MachineVerb.ANEW, "its image changes"),
        "jvb1": (MachineVerb.START, ""),
        "jvb2": (MachineVerb.MAKE, ""),
        "visitors1": (MachineVerb.REMOVE, "the lab no longer has this node"),
    }


@pytest.mark.usefixtures("is_up")
def test_images_that_are_not_known_make_no_machine_anew(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent_engine = Bakes({}, problem="Docker does not answer.")
    monkeypatch.setattr("labctl.lab.plan.plan_bakes", lambda *_, **__: silent_engine)
    assert {node.machine for node in plan(lab).nodes} == {MachineVerb.KEEP}
    done = run()
    assert "Images: not known: Docker does not answer.\n" in done.stdout


def test_a_provider_that_is_not_there_yet_has_no_machines(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> dict[str, str]:
        raise LabError("'docker' is not installed.")

    monkeypatch.setattr(table.TABLE[ProviderName.DOCKER], "read_states", refuse)
    assert {node.machine for node in plan(lab).nodes} == {MachineVerb.MAKE}


def test_time_is_that_of_earlier_labs_of_this_shape(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ("--jvbs", "1", "--visitors", "2")
    assert "Time: not known: no such lab" in run(*flags).stdout
    shape = shape_of(resolve(SPEC), stand_ins=False)
    note_duration(shape, Timings({"images": 100.0, "machines": 3.0, "ready": 4.4}))
    assert "Time: about 7 s\n" in run(*flags).stdout
    baked = Bakes(IMAGES, (Role.JVB,), base=True, disk_mib=300, free_mib=2048)
    monkeypatch.setattr("labctl.lab.plan.plan_bakes", lambda *_, **__: baked)
    text = run(*flags).stdout
    assert "Time: about 7 s and the images, which have not been made here yet\n" in text
    assert "Images: would make base, jvb: 0.3 GiB, 2.0 GiB are free\n" in text
    note_bake("container", roles=1, base=True, seconds=41)
    assert "Time: about 7 s and 41 s for the images\n" in run(*flags).stdout


@pytest.mark.usefixtures("is_up")
def test_a_lab_with_machines_takes_what_changes(lab: Lab) -> None:
    machine = lab.folder.vagrant / "machines" / "jms" / "docker"
    machine.mkdir(parents=True)
    (machine / "id").write_text("1")
    save_timings(lab.folder, Timings({"images": 100.0, "machines": 3.0, "ready": 4.4}))
    assert "Time: as long as what changes takes; the last 'up' took 7 s\n" in run().stdout


def test_a_new_lab_that_does_not_fit_is_told_what_does(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.folder.topology_file.unlink()
    monkeypatch.setattr("labctl.lab.plan.available_mib", lambda: 1600)
    said = run("--provider", "docker").stdout
    assert "It does NOT fit. What fits: 'labctl up --small --jvbs 0 --visitors 0'" in said


def test_facts_for_programs() -> None:
    data = json.loads(run("--max-participants", "3", "--json").stdout)
    assert data["lab"] == "demo"
    assert data["empty"] is False
    assert data["nodes"][0]["tree"]["files"][0]["verb"] == "new"
    assert data["fit"]["available"] == 20_000


def test_a_deployment_with_its_rules_and_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labctl.lab.fit.available_mib", lambda: 1536 + 256 + 640)
    text = run("--participants", "10000").stdout
    assert "10,000 participants: 30 take part, 9,970 visit\n" in text
    assert "  50 bridges of 8 cores, 5 vnodes\n" in text
    assert "      jitsi-meet, resources/extra-large-conference/README.md\n" in text
    assert "    labctl up --small --jvbs 1 --visitors 5\n" in text
    data = json.loads(run("--participants", "10000", "--json").stdout)
    assert data["bridges"] == 50
    assert len(data["rules"]) == 5


def test_a_deployment_as_a_crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labctl.lab.fit.available_mib", lambda: 20_000)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    text = run("--participants", "10000").stdout
    assert "    lab.conf: roles.visitors.memory = 1280 MiB\n" in text
    assert "    labctl crowd --participants 30 --visitors 9970 --rate 100/s --processes 4\n" in text
    assert "    391 MiB for the crowd itself; all are in after about " in text
    assert "    then their pings take 1.0 of 4 cores\n" in text
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    text = run("--participants", "10000").stdout
    assert (
        "  Nor can so many come as a crowd without media: their pings alone take 1.0 of 1 cores.\n"
        in text
    )


def test_every_verb_of_a_machine_has_words() -> None:
    assert set(MACHINE_WORDS) == set(map(str, MachineVerb))
