"""A lab on several machines: which engine is asked for what, and what a lost machine means."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from labctl.core.checks import CheckStatus
from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.host.network import Interface, bridge_name
from labctl.node.keys import ensure_keys
from labctl.providers.docker import leg, network, spread, swarm
from labctl.providers.docker.leg import HOLD_OPTIONS, MOVE_OPTIONS
from labctl.providers.docker.machines import hosts_in, recorded_hosts, split
from labctl.providers.docker.parcel import digest_of, files_of, parse_digests, send_images
from labctl.providers.docker.swarm import check_hosts, check_swarm, parse_facts
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Role, Spec
from labctl.topology.workdir import Workdir
from tests.fakes.engines import FakeEngines, info, worker

HOSTS = ("local", "ssh://lab2")
SPEC = Spec(lab="demo", hosts=HOSTS, jvbs=1, visitors=0)
IMAGES = {role: f"labctl-{role}:1" for role in Role}
MEMBERS = "here\tReady\ntwo\tReady\n"


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    workdir = Workdir.of("demo", root=tmp_path)
    found = Lab(workdir, resolve(SPEC).with_images(IMAGES))
    workdir.path.mkdir(parents=True)
    workdir.save_topology(found.topology)
    ensure_keys(found)
    monkeypatch.setattr(network, "check_here", lambda *_, **__: None)
    monkeypatch.setattr(leg, "read_interfaces", lambda: ())
    return found


def joined(engines: FakeEngines) -> None:
    """Both machines are in a swarm that this one manages."""
    engines.says("local", "info", info())
    engines.says("lab2", "info", info(Swarm=worker("two"), NCPU=1))
    engines.says("local", "node ls", MEMBERS)
    engines.says("local", "network inspect", "[]")
    digests = [
        {"RepoTags": [image], "RootFS": {"Layers": [image]}, "Config": {}}
        for image in IMAGES.values()
    ]
    engines.says("local", "image inspect", json.dumps(digests))
    engines.says("lab2", "volume inspect", "/var/lib/docker/volumes/x/_data\n")


def test_the_first_up_makes_the_network_the_leg_and_what_the_other_machine_needs(
    lab: Lab, engines: FakeEngines
) -> None:
    joined(engines)
    assert spread.prepare(lab, {}) == {}
    [create] = engines.of("network create")
    assert create.startswith(
        "local: docker network create --driver overlay --attachable --internal"
    )
    assert "--gateway 192.168.56.2" in create and "labctl.hosts=local,ssh://lab2" in create
    hold, move = engines.of("docker run")
    assert f"{' '.join(HOLD_OPTIONS)}" in hold and "--ip 192.168.56.1 " in hold
    assert f"{' '.join(MOVE_OPTIONS)}" in move and move.endswith("192.168.56.1/24")
    assert [line.partition(":")[0] for line in engines.of("image load")] == ["lab2"]
    # Only its own node's image is sent, and only its own node's files.
    assert engines.of("image save")[0].endswith(" labctl-jvb:1")
    [volume] = engines.of("volume create")
    assert volume.startswith("lab2: ") and volume.endswith(" labctl-demo-jvb1")
    assert [line.partition(":")[0] for line in engines.of("docker cp")] == ["lab2", "lab2"]
    order = [engines.asked.index(line) for line in (create, hold, move, volume)]
    assert order == sorted(order)


def test_a_nodes_keys_are_in_no_argument(lab: Lab, engines: FakeEngines) -> None:
    joined(engines)
    spread.prepare(lab, {})
    key = (lab.folder.ssh / "nodes" / "jvb1" / "host_ed25519").read_text()
    assert not any(line in " ".join(engines.asked) for line in key.splitlines()[1:-1])


def test_images_that_are_there_are_not_sent_again(engines: FakeEngines) -> None:
    nodes = resolve(SPEC).with_images(IMAGES).nodes
    same = [{"RepoTags": ["labctl-jvb:1"], "RootFS": {"Layers": ["a"]}, "Config": {}}]
    engines.says("local", "image inspect", json.dumps(same))
    engines.says("lab2", "image inspect", json.dumps(same))
    assert send_images(nodes) == {}
    other = [{"RepoTags": ["labctl-jvb:1"], "RootFS": {"Layers": ["b"]}, "Config": {}}]
    engines.says("lab2", "image inspect", json.dumps(other))
    assert send_images(nodes) == {"ssh://lab2": ["labctl-jvb:1"]}


def test_a_digest_is_of_layers_and_labels() -> None:
    def digest(layers: list[str], labels: dict[str, str]) -> str:
        entry = {"RepoTags": ["a:1"], "RootFS": {"Layers": layers}, "Config": {"Labels": labels}}
        return parse_digests(json.dumps([entry]))["a:1"]

    assert digest(["x"], {"l": "1"}) == digest(["x"], {"l": "1"})
    assert len({digest(["x"], {}), digest(["y"], {}), digest(["x"], {"l": "2"})}) == 3
    assert parse_digests("") == parse_digests("[]") == {}


def test_names_and_contents_count_in_the_digest_of_files() -> None:
    given = [{"a": b"b"}, {"ab": b""}, {"a": b"c"}, {"b": b"b"}, {"a": b"b", "c": b""}]
    assert len({digest_of(files) for files in given}) == len(given)


def test_a_container_with_other_keys_is_made_anew(lab: Lab, engines: FakeEngines) -> None:
    joined(engines)
    spread.prepare(lab, {})
    jvb1 = lab.topology.node("jvb1")
    entry = {
        "Id": "f00",
        "State": {"Status": "running"},
        "Config": {
            "Image": jvb1.image,
            "Labels": {"labctl.lab": "demo", "labctl.node": "jvb1", "labctl.workdir": "/x"},
        },
        "HostConfig": {
            "Memory": jvb1.size.memory_mib * 1024**2,
            "NanoCpus": 10**9,
            "ExtraHosts": [f"{name}:{address}" for name, address in lab.topology.hosts.items()],
        },
        "NetworkSettings": {
            "Networks": {"labctl-demo": {"IPAMConfig": {"IPv4Address": str(jvb1.address)}}}
        },
    }
    engines.says("lab2", "ps -a -q", "f00\n")
    engines.says("lab2", "container inspect", json.dumps([entry]))
    engines.says("lab2", "volume ls", f"jvb1\t{digest_of(files_of(lab, jvb1))}\n")
    assert spread.prepare(lab, {"jvb1": "f00"}) == {}
    engines.says("lab2", "volume ls", "jvb1\t0123\n")
    assert spread.prepare(lab, {"jvb1": "f00"}) == {"jvb1": "its keys changed"}
    assert spread.prepare(lab, {}) == {"jvb1": "an earlier run was interrupted"}
    moved = replace(SPEC, placement={"jvb1": "local"})
    there = Lab(lab.folder, resolve(moved).with_images(IMAGES))
    # It would also have more CPUs there; the machine is what counts.
    assert set(spread.prepare(there, {"jvb1": "f00"})) == {"jvb1"}


def test_each_run_of_vagrant_is_for_one_engine() -> None:
    nodes = resolve(replace(SPEC, jvbs=2)).nodes
    assert [(env, [node.name for node in some]) for env, some in split(nodes)] == [
        ({}, ["jms", "jvb2"]),
        ({"DOCKER_HOST": "ssh://lab2"}, ["jvb1"]),
    ]
    alone = resolve(Spec()).nodes
    assert split(alone) == [({}, list(alone))]


def test_the_vagrantfile_is_told_of_other_machines_only(lab: Lab, engines: FakeEngines) -> None:
    joined(engines)
    nodes = spread.vagrant_data(lab)["nodes"]
    # The other machine has one CPU.
    assert nodes["jvb1"]["cpus"] == 1 and list(nodes) == ["jvb1"]
    keys, resolv = nodes["jvb1"]["mounts"]
    assert keys == "type=volume,source=labctl-demo-jvb1,target=/etc/ssh/lab,readonly"
    assert "source=/var/lib/docker/volumes/x/_data/resolv.conf," in resolv


def test_nodes_of_a_lost_machine_are_unreachable(lab: Lab, engines: FakeEngines) -> None:
    engines.says("local", "ps -a", "jms\trunning\n")
    engines.says("lab2", "ps -a", "jvb1\texited\n")
    assert spread.read_states(lab.folder) == {"jms": "running", "jvb1": "stopped"}
    engines.lost = {"lab2"}
    assert spread.read_states(lab.folder) == {"jms": "running", "jvb1": "unreachable"}
    engines.lost = {"local"}
    with pytest.raises(LabError, match="No route"):
        spread.read_states(lab.folder)


def test_nodes_are_stopped_and_started_on_their_machines(lab: Lab, engines: FakeEngines) -> None:
    spread.halt(lab, ["jms", "jvb1"])
    spread.start(lab.folder, ["jvb1"])
    spread.read_console(lab.folder, "jvb1")
    assert sorted(line.partition(":")[0] for line in engines.of("docker stop")) == ["lab2", "local"]
    assert engines.of("docker start") == ["lab2: docker start labctl-demo-jvb1"]
    assert {line.partition(":")[0] for line in engines.of("docker logs")} == {"lab2"}


def test_a_lab_is_removed_from_all_machines(
    lab: Lab, engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread, "recorded_hosts", lambda _: HOSTS)
    engines.says("local", "network ls --filter", "overlay\tlabctl-demo\n")
    engines.says("lab2", "volume ls", "labctl-demo-jvb1\n")
    engines.says("local", "ps --all --quiet --filter label=labctl.leg=demo", "1e6\n")
    spread.clean(lab.folder)
    assert engines.of("volume rm") == ["lab2: docker volume rm --force labctl-demo-jvb1"]
    assert engines.of("docker rm") == ["local: docker rm --force --volumes 1e6"]
    assert engines.asked[-2] == "local: docker network rm labctl-demo"


def test_the_legs_interface_goes_before_its_container(
    lab: Lab, engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Interface(bridge_name(lab.folder), ())
    monkeypatch.setattr(leg, "read_interfaces", lambda: (Interface("eth0", ()), mine))
    engines.says("local", "ps --all --quiet", "1e6\n")
    engines.says("local", "container inspect", "labctl-jms:1\n")
    leg.remove_leg(lab.folder)
    [drop], [gone] = engines.of("docker run"), engines.of("docker rm")
    assert drop.endswith(f"labctl-jms:1 -c {leg.DROP} sh {mine.name}")
    assert engines.asked.index(drop) < engines.asked.index(gone)


def test_a_lab_that_was_on_one_machine_loses_its_bridge_by_docker(
    lab: Lab, engines: FakeEngines, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined(engines)
    labels = {"labctl.lab": "demo", "labctl.workdir": str(lab.folder.path.resolve())}
    alone = {"Name": "labctl-demo", "Labels": labels, "Options": {}, "Driver": "bridge",
             "IPAM": {"Config": [{"Subnet": "192.168.56.0/24"}]}}  # fmt: skip
    engines.says("local", "network inspect", json.dumps([alone]))
    engines.says("local", "network ls --filter", "bridge\tlabctl-demo\n")
    monkeypatch.setattr(spread, "recorded_hosts", lambda _: ("local",))
    bridge = Interface(bridge_name(lab.folder), ())
    monkeypatch.setattr(leg, "read_interfaces", lambda: (bridge,))
    monkeypatch.setattr(spread, "ensure_leg", lambda _: None)
    spread.prepare(lab, {})
    assert "local: docker network rm labctl-demo" in engines.asked
    assert engines.of("ip link delete") == []
    assert len(engines.of("label=labctl.crowd=demo")) == len(HOSTS), (
        "a crowd would hold the network"
    )


def test_what_a_lost_machine_has_is_named_and_the_network_stays(
    lab: Lab, engines: FakeEngines
) -> None:
    engines.lost = {"lab2"}
    engines.says("local", "network ls", "local,ssh://lab2\n")
    with pytest.raises(LabError, match="on machine 'lab2' is still there"):
        spread.clean(lab.folder)
    assert engines.of("network rm") == []


def test_the_network_says_where_a_lab_without_a_folder_is(
    tmp_path: Path, engines: FakeEngines
) -> None:
    folder = Workdir.of("gone", root=tmp_path)
    assert hosts_in(folder) == ("local",)
    engines.says("local", "network ls", "local,ssh://lab2\n")
    assert hosts_in(folder) == recorded_hosts(folder) == ("local", "ssh://lab2")


def test_a_lab_on_one_machine_asks_no_other(tmp_path: Path, engines: FakeEngines) -> None:
    folder = Workdir.of("demo", root=tmp_path)
    folder.path.mkdir(parents=True)
    folder.save_topology(resolve(Spec(lab="demo")))
    engines.says("local", "ps -a", "jms\trunning\n")
    assert spread.read_states(folder) == {"jms": "running"}
    assert len(engines.asked) == 1


@pytest.mark.parametrize(
    ("here", "there", "members", "says"),
    [
        pytest.param(info(), info(Swarm=worker("two")), MEMBERS, None, id="joined"),
        pytest.param(info(Swarm={}), info(), MEMBERS, "is in no swarm", id="no swarm here"),
        pytest.param(info(Swarm=worker("here")), info(), MEMBERS, "does not manage it",
                     id="no manager here"),
        pytest.param(info(), info(Swarm={}), MEMBERS, "'lab2' is not in the swarm",
                     id="no swarm there"),
        pytest.param(info(), info(Swarm=worker("x")), MEMBERS, "'lab2' is not in the swarm",
                     id="another swarm"),
        pytest.param(info(), info(Swarm=worker("two")), "here\tReady\ntwo\tDown\n",
                     "'lab2' is 'down'", id="down"),
        pytest.param(info(), info(Swarm=worker("two"), Architecture="aarch64"), MEMBERS,
                     "'lab2' is aarch64", id="architecture"),
        pytest.param(info(), info(SecurityOptions=["name=rootless"]), MEMBERS,
                     "'lab2' has rootless Docker", id="rootless"),
        pytest.param(info(), '{"ServerErrors": ["permission denied"]}', MEMBERS,
                     "'lab2' does not answer: permission denied", id="denied"),
    ],
)  # fmt: skip
def test_what_a_swarm_must_be(
    here: str,
    there: str,
    members: str,
    says: str | None,
    engines: FakeEngines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(swarm, "wait_members", partial(swarm.wait_members, seconds=0.0))
    engines.says("local", "info", here)
    engines.says("lab2", "info", there)
    engines.says("local", "node ls", members)
    checks = check_hosts(["local", "ssh://lab2"])
    if says is None:
        assert set(check_swarm(HOSTS)) == set(HOSTS)
        assert {check.status for check in checks} == {CheckStatus.OK}
        return
    with pytest.raises(LabError, match=says):
        check_swarm(HOSTS)
    failed = [check for check in checks if check.status is CheckStatus.FAIL]
    assert any(says in check.found for check in failed)
    assert all(check.finding in (Finding.HOST_SILENT, Finding.SWARM_MISSING) for check in failed)


def test_a_machine_that_does_not_answer_says_what_ssh_said() -> None:
    with pytest.raises(LabError, match=r"lab2.*no route") as caught:
        parse_facts("", host="ssh://lab2", errors="ssh: no route to host")
    assert "DOCKER_HOST=ssh://lab2 docker info" in (caught.value.hint or "")


def test_a_machine_that_comes_back_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [{"here": "ready", "two": "down"}, {"here": "ready", "two": "ready"}]
    monkeypatch.setattr(swarm, "read_members", lambda: answers.pop(0))
    assert swarm.wait_members(["here", "two"])["two"] == "ready"
    assert answers == []
