"""Whole runs over fake nodes: the order of things, what is told, and what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.core.progress import Timings, silent
from labctl.render.tree import ChangeCommand, Folder, Link, RenderedFile, Tree, Unit, save_tree
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir
from provision.facts import script
from provision.outcome import NodeOutcome, ProvisionOutcome
from provision.problem import NodeProblem, ProvisionError
from provision.run import provision
from tests.fakes.host import FakeFile, FakeHost
from tests.fakes.nodes import FakeNodes

TOPOLOGY = resolve(Spec(lab="demo", jvbs=1, visitors=0))
CONF, CA, JVB = "/etc/prosody/prosody.cfg.lua", "/usr/share/ca.crt", "/etc/jitsi/jvb.conf"
SECRET = "t0p-s3cret"
TREES = {
    "jms": Tree(
        node="jms",
        files=(
            RenderedFile(CONF, f"-- {SECRET}\n", "root", "prosody", 0o640),
            RenderedFile(CA, "ca\n"),
        ),
        folders=(Folder("/var/lib/x", "prosody", "prosody", 0o750),),
        links=(Link("/etc/on", "../x"),),
        absent=("/etc/default",),
        commands=(ChangeCommand("update-ca-certificates", (CA,)),),
        units=(
            Unit("nftables.service", 0),
            Unit("prosody.service", 1, (CONF,), "restart", (5222,)),
        ),
    ),
    "jvb1": Tree(
        node="jvb1",
        files=(RenderedFile(JVB, "jvb\n"),),
        units=(Unit("nftables.service", 0), Unit("jvb.service", 2, (JVB,), "restart", (8080,))),
    ),
}


@pytest.fixture
def workdir(tmp_path: Path) -> Workdir:
    """A lab with its rendered trees."""
    workdir = Workdir(tmp_path / "demo")
    for tree in TREES.values():
        save_tree(workdir.tree, tree)
    return workdir


@pytest.fixture
def hosts(nodes: FakeNodes) -> dict[str, FakeHost]:
    return {name: FakeHost.on(nodes, name) for name in TREES}


def run(workdir: Workdir) -> ProvisionOutcome:
    return provision(Lab(workdir, TOPOLOGY), progress=silent, log=workdir.path / "log")


def steps(nodes: FakeNodes) -> list[tuple[str, str]]:
    """Node and script of everything that was run, nodes of one phase in order of name."""
    names = {
        script(name).text: name for name in ("inspect", "place", "commands", "units", "finish")
    }
    return [(ran.node, names[ran.text]) for ran in nodes.ran]


def test_a_fresh_node_gets_everything(workdir: Workdir, hosts: dict[str, FakeHost]) -> None:
    hosts["jms"].files["/etc/default"] = FakeFile("link", text="x")
    outcome = run(workdir)
    jms = hosts["jms"]
    assert jms.files[CONF] == FakeFile("file", "root", "prosody", "0640", f"-- {SECRET}\n")
    assert jms.files["/var/lib/x"] == FakeFile("dir", "prosody", "prosody", "0750")
    assert jms.files["/etc/on"] == FakeFile("link", text="../x")
    assert "/etc/default" not in jms.files
    assert jms.calls == [
        "update-ca-certificates",
        "start nftables.service",
        "start prosody.service",
    ]
    assert jms.manifest == (workdir.tree / "jms" / "manifest.json").read_text()
    assert outcome.nodes["jms"] == NodeOutcome(
        changed=("/etc/on", CONF, CA),
        removed=("/etc/default",),
        commands=("update-ca-certificates",),
        enabled=("nftables.service", "prosody.service"),
        started=("nftables.service", "prosody.service"),
    )


def test_what_connects_to_others_starts_when_they_listen(
    workdir: Workdir, hosts: dict[str, FakeHost], nodes: FakeNodes
) -> None:
    run(workdir)
    found = [(node, name) for node, name in steps(nodes) if node == "jms"]
    # Stages 0 and 1: the JMS waits for no other node.
    own = ["inspect", "place", "commands", "units", "units"]
    assert [name for _, name in found] == [*own, "finish"]
    mine = [ran for ran in nodes.ran if "prosody.service" in (ran.stdin or "")]
    started = next(ran for ran in mine if "start\tprosody.service" in (ran.stdin or ""))
    bridge = next(ran for ran in nodes.ran if "start\tjvb.service" in (ran.stdin or ""))
    assert nodes.ran.index(started) < nodes.ran.index(bridge)


def test_a_node_that_fails_keeps_others_from_starting_what_connects_to_it(
    workdir: Workdir, hosts: dict[str, FakeHost], nodes: FakeNodes
) -> None:
    nodes.says("jms", "failed\tsh\tno\n", to="start\tprosody.service", code=1)
    with pytest.raises(ProvisionError, match="'jms'"):
        run(workdir)
    assert hosts["jvb1"].calls == ["start nftables.service"]
    assert "finish" not in [name for _, name in steps(nodes)]


def test_what_each_step_took_is_noted(workdir: Workdir, hosts: dict[str, FakeHost]) -> None:
    timings = Timings()
    with timings.phase("provision"):
        provision(
            Lab(workdir, TOPOLOGY), progress=silent, log=workdir.path / "log", timings=timings
        )
    noted = [(it.phase, it.what) for it in timings.steps if it.node == "jms"]
    names = ["inspect", "place", "commands", "stage 0", "stage 1", "finish"]
    assert noted == [("provision", name) for name in names]


def test_a_second_run_looks_and_does_nothing(
    workdir: Workdir, hosts: dict[str, FakeHost], nodes: FakeNodes
) -> None:
    assert not run(workdir).empty
    nodes.ran.clear()
    assert run(workdir).empty
    assert sorted(steps(nodes)) == [("jms", "inspect"), ("jvb1", "inspect")]


def test_only_what_changed_is_restarted(workdir: Workdir, hosts: dict[str, FakeHost]) -> None:
    run(workdir)
    for host in hosts.values():
        host.calls.clear()
    changed = (RenderedFile(JVB, "other\n"),)
    save_tree(workdir.tree, Tree("jvb1", changed, units=TREES["jvb1"].units))
    outcome = run(workdir)
    assert hosts["jms"].calls == []
    assert hosts["jvb1"].calls == ["restart jvb.service"]
    assert str(outcome.nodes["jvb1"]) == "1 file changed; restarted jvb.service"


def test_a_run_that_was_cut_off_is_finished_by_the_next(
    workdir: Workdir, hosts: dict[str, FakeHost], nodes: FakeNodes
) -> None:
    run(workdir)
    changed = (RenderedFile(JVB, "other\n"),)
    save_tree(workdir.tree, Tree("jvb1", changed, units=TREES["jvb1"].units))
    nodes.says("jvb1", to=script("units").text, code=255)
    with pytest.raises(ProvisionError):
        run(workdir)
    assert hosts["jvb1"].files[JVB].text == "other\n"
    assert hosts["jvb1"].pending == {JVB}
    hosts["jvb1"].calls.clear()
    nodes.rules.pop(0)
    assert run(workdir).nodes["jvb1"] == NodeOutcome(restarted=("jvb.service",))
    assert hosts["jvb1"].calls == ["restart jvb.service"]


def test_secrets_travel_on_standard_input_only(
    workdir: Workdir, hosts: dict[str, FakeHost], nodes: FakeNodes
) -> None:
    run(workdir)
    assert not [ran for ran in nodes.ran if SECRET in ran.text]
    assert SECRET not in (workdir.path / "log").read_text()


def test_what_is_told_while_it_runs(workdir: Workdir, hosts: dict[str, FakeHost]) -> None:
    said: list[str] = []

    def progress(phase: str, message: str, *, node: str | None = None) -> None:
        if node == "jms":
            said.append(f"{phase}: {message}")

    provision(Lab(workdir, TOPOLOGY), progress=progress, log=workdir.path / "log")
    assert said == [
        "provision: looking at files and units",
        "provision: placing files",
        "provision: running commands",
        "provision: stage 0: units",
        "provision: stage 1: units",
        "provision: recording what was applied",
        "provision: 3 files changed; started nftables.service, prosody.service",
    ]


def test_a_unit_that_does_not_start_is_explained_and_ends_the_run(
    workdir: Workdir, hosts: dict[str, FakeHost], nodes: FakeNodes
) -> None:
    nodes.says(
        "jms",
        "wait\ninactive\tprosody.service\tfailed\nlog\tprosody.service\tbad key\n",
        to=script("units").text,
        code=1,
    )
    said: list[tuple[str | None, str]] = []

    def progress(phase: str, message: str, *, node: str | None = None) -> None:
        said.append((node, message))

    with pytest.raises(ProvisionError) as caught:
        provision(Lab(workdir, TOPOLOGY), progress=progress, log=workdir.path / "log")
    assert caught.value.message == (
        "Lab 'demo' could not be provisioned.\n"
        "Node 'jms' (stage 0): Unit 'prosody.service' is failed.\n    bad key"
    )
    assert caught.value.log == workdir.path / "log"
    assert ("jms", "stage 0 failed") in said
    # The other node ended the stage, and nothing came after it anywhere.
    assert hosts["jvb1"].calls == ["start nftables.service"]
    assert not [name for _, name in steps(nodes) if name == "finish"]
    log = (workdir.path / "log").read_text()
    assert " jms stage 0: inactive\tprosody.service\tfailed\n" in log
    assert ": wait\n" not in log


def test_every_node_with_a_problem_is_named(workdir: Workdir, nodes: FakeNodes) -> None:
    nodes.silence("jms", "No route to host")
    nodes.says("jvb1", "failed\tlock\tanother provisioning run holds this node\n", code=1)
    with pytest.raises(ProvisionError) as caught:
        run(workdir)
    assert caught.value.message == (
        "Lab 'demo' could not be provisioned.\n"
        "Node 'jms' (connect): It cannot be reached by ssh: No route to host.\n"
        "Node 'jvb1' (inspect): 'lock' failed: another provisioning run holds this node."
    )
    assert "run 'labctl up' again" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("lost", r"Node 'jms' \(place\): The connection was lost: Broken pipe\."),
        ("slow", r"Node 'jms' \(place\): The connection was lost, or no answer came in time\."),
    ],
)
def test_a_node_that_goes_while_files_are_placed(
    workdir: Workdir, hosts: dict[str, FakeHost], nodes: FakeNodes, fault: str, message: str
) -> None:
    def go(ran: object) -> dict[str, str]:
        if fault == "lost":
            nodes.silence("jms", "Broken pipe")
        else:
            nodes.slow_down("jms")
        return hosts["jms"].inspect(ran)  # type: ignore[arg-type]

    nodes.says("jms", go, to=script("inspect").text)
    with pytest.raises(ProvisionError, match=message):
        run(workdir)


def test_a_node_that_does_not_say_all_is_a_problem(workdir: Workdir, nodes: FakeNodes) -> None:
    for name in TREES:
        nodes.says(name, {"stat": "", "sha256": ""})
    with pytest.raises(ProvisionError, match=r"Node 'jvb1' \(inspect\): Its state cannot be read"):
        run(workdir)


def test_a_lab_without_trees_is_a_problem_of_its_node(tmp_path: Path, nodes: FakeNodes) -> None:
    with pytest.raises(ProvisionError, match=r"Node 'jms' \(inspect\).*is missing") as caught:
        run(Workdir(tmp_path))
    assert caught.value.log == tmp_path / "log"
    assert nodes.ran == []


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        pytest.param(NodeOutcome(), "nothing to do", id="nothing"),
        pytest.param(NodeOutcome(changed=("a", "b")), "2 files changed", id="files"),
        pytest.param(NodeOutcome(enabled=("x",)), "enabled x", id="enabled"),
        pytest.param(NodeOutcome(commands=("x",)), "commands run", id="commands"),
        pytest.param(
            NodeOutcome(removed=("a",), stopped=("x", "y")),
            "1 file changed; stopped x, y",
            id="removed",
        ),
    ],
)
def test_outcome_in_words(outcome: NodeOutcome, expected: str) -> None:
    assert str(outcome) == expected


def test_problems_are_told_with_node_and_last_lines(tmp_path: Path) -> None:
    problems = (
        NodeProblem(
            "jms", "stage 1", "Unit 'x.service' is failed.", detail=("bad key",), hint="Look."
        ),
        NodeProblem("jvb1", "connect", "It cannot be reached.", hint="Look."),
    )
    error = ProvisionError("demo", problems, log=tmp_path / "log")
    assert error.message == (
        "Lab 'demo' could not be provisioned.\n"
        "Node 'jms' (stage 1): Unit 'x.service' is failed.\n"
        "    bad key\n"
        "Node 'jvb1' (connect): It cannot be reached."
    )
    assert error.hint == "Look."
