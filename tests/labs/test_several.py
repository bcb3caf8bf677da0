"""A lab over three machines, which are network namespaces here: up, looked at, hurt, removed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from labctl.core.progress import silent
from labctl.core.waiting import Deadline, wait_until
from labctl.host.network import bridge_name
from labctl.images.make import ensure_images
from labctl.providers.docker.crowdhosts import CROWD_LABEL
from labctl.providers.docker.crowdimage import ensure_crowd_image
from labctl.providers.docker.images import DOCKER_IMAGES
from labctl.topology.hosts import host_name
from labctl.topology.spec import DEFAULT_RELEASE, Packages, PackageSource, Role
from labctl.topology.workdir import ROOT, Workdir
from tests.schemas import checked
from tests.several import SBIN, Machine, Machines, run, several

pytestmark = [pytest.mark.lab, pytest.mark.long]

NAME = "selftest-several"
NODES = {"jms": "control", "jvb1": "one", "jvb2": "two", "visitors1": "one"}
UP_SECONDS = 600.0


@dataclass
class Spread:
    """The lab, driven on the first machine."""

    machines: Machines
    conf: Path

    @property
    def hosts(self) -> list[str]:
        return ["local", *(machine.ssh for machine in self.machines.all[1:])]

    def run(self, *words: str, check: bool = True, timeout: float = 900.0) -> str:
        done = self.machines.labctl(*words, timeout=timeout)
        if check and done.returncode:
            said = f"{done.stderr}{done.stdout}"
            pytest.fail(f"labctl {' '.join(words)} ended with {done.returncode}:\n{said}")
        return done.stdout if check else f"{done.stdout}{done.stderr}"

    def write(self, **keys: str) -> None:
        given = {
            "lab": NAME,
            "network": '"192.168.73.0/24"',
            "jvbs": "2",
            "visitors": "1",
            "packages": "stand-ins",
            "small": "on",
            "hosts": json.dumps(self.hosts),
        }
        self.conf.write_text("".join(f"{key} = {text}\n" for key, text in (given | keys).items()))

    def up(self) -> str:
        return self.run("up", "--config", str(self.conf), timeout=UP_SECONDS)

    def containers(self, machine: Machine) -> set[str]:
        names = machine.docker("ps", "--all", "--format", "{{.Names}}").split()
        return {name.removeprefix(f"labctl-{NAME}") for name in names}


def crowd_on(machine: Machine) -> list[str]:
    """The parts of crowds on a machine, and what Docker says of each."""
    words = ("--filter", f"label={CROWD_LABEL}", "--format", "{{.ID}} {{.Status}}")
    return machine.docker("ps", "--all", *words).splitlines()


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spread]:
    """A lab that is up on three machines; the images are baked on this one's engine, as always."""
    roles = [Role.JMS, Role.JVB, Role.VISITORS]
    packages = Packages(source=PackageSource.STAND_INS)
    images = ensure_images(roles, packages, store=DOCKER_IMAGES, progress=silent)
    crowd = ensure_crowd_image(DEFAULT_RELEASE, progress=silent)
    folder = tmp_path_factory.mktemp("several")
    if shutil.which("sshd", path=SBIN) is None:
        pytest.skip("'sshd' is not installed: 'bin/test --long' installs it")
    with several("one", "two") as machines:
        saved = folder / "images.tar"
        base = [ref for ref in sorted(DOCKER_IMAGES.local()) if ref.startswith("labctl/base:")]
        run(
            "docker",
            "image",
            "save",
            "--output",
            saved,
            *images.values(),
            *base,
            crowd,
            timeout=300,
        )
        machines.control.docker("image", "load", "--input", saved, timeout=300)
        saved.unlink()
        found = Spread(machines, folder / "lab.conf")
        found.write()
        try:
            found.up()
            yield found
        finally:
            machines.labctl("destroy", "--yes", "--lab", NAME)


def test_every_node_is_on_its_machine(spread: Spread) -> None:
    for machine in spread.machines.all:
        wanted = {f"-{node}" for node, host in NODES.items() if host == machine.name}
        leg = {"_leg"} if machine is spread.machines.control else set()
        assert spread.containers(machine) == wanted | leg
    status = checked("status", spread.run("status", "--json", "--lab", NAME))
    assert status["healthy"] and status["media_passed"]
    hosts = {node["name"]: node["host"] for node in status["nodes"]}
    addresses = {machine.name: machine.ssh for machine in spread.machines.all}
    assert hosts == {node: addresses[host] if host != "control" else "local"
                     for node, host in NODES.items()}  # fmt: skip


def test_doctor_asks_every_machine(spread: Spread) -> None:
    said = spread.run("doctor", "--config", str(spread.conf), check=False)
    assert sum("in the swarm" in line or "manages the swarm" in line
               for line in said.splitlines()) == len(spread.machines.all)  # fmt: skip


def test_another_up_changes_nothing(spread: Spread) -> None:
    def ids() -> list[str]:
        return [machine.docker("ps", "--quiet", "--no-trunc") for machine in spread.machines.all]

    before = ids()
    spread.up()
    assert ids() == before


def test_the_fast_suite_passes(spread: Spread) -> None:
    spread.run("verify", "--lab", NAME, "-m", "not slow")


def test_logs_shells_and_commands_reach_other_machines(spread: Spread) -> None:
    assert spread.run("exec", "jvb2", "--lab", NAME, "--", "hostname").strip() == "jvb2"
    assert "Started" in spread.run("logs", "jvb2", "--lab", NAME)
    mtu = spread.run("exec", "jvb1", "--lab", NAME, "--", "cat", "/sys/class/net/eth0/mtu")
    assert mtu.strip() == "1450"


def test_a_node_has_one_address_and_no_way_out(spread: Spread) -> None:
    found = spread.run("exec", "jvb1", "--lab", NAME, "--", "ip", "-j", "-4", "addr", "show")
    addresses = [item["local"] for link in json.loads(found) if link for item in link["addr_info"]]
    assert addresses == ["127.0.0.1", "192.168.73.106"]
    assert "default" not in spread.run("exec", "jvb1", "--lab", NAME, "--", "ip", "route")


def test_a_crowd_comes_from_every_machine(spread: Spread) -> None:
    words = ("--participants", "2", "--visitors", "12", "--machines", "--hold", "2", "--json")
    found = checked("crowd", spread.run("crowd", *words, "--lab", NAME))
    _, one, two = spread.machines.all
    assert found["well"] and found["joined"] == 14 and not found["lost"]
    assert found["phases"]["all"]["count"] == 14, "everybody's times are in one table"
    assert found["machines"] == {"local": 4, host_name(one.ssh): 4, host_name(two.ssh): 4}
    log = spread.run("exec", "jms", "--lab", NAME, "--", "sudo", "cat", "/var/log/nginx/access.log")
    origins = {line.split()[0] for line in log.splitlines() if "/xmpp-websocket" in line}
    inside = IPv4Network("192.168.73.64/27")
    assert len([it for it in origins if IPv4Address(it) in inside]) == 2, origins
    for machine in spread.machines.all:
        assert not crowd_on(machine)


def test_a_machine_that_is_lost_ends_the_crowd(spread: Spread) -> None:
    """It is named, and what it has of the crowd goes when it is back."""
    _, _, two = spread.machines.all
    words = ("--participants", "2", "--visitors", "6", "--machines", "--hold", "600")
    with spread.machines.start("crowd", *words, "--lab", NAME) as crowd:
        assert crowd.stdout is not None
        try:
            assert any("holding" in line for line in crowd.stdout)
            assert crowd_on(two)
            spread.machines.cut(two)
            said = crowd.stdout.read()
        finally:
            crowd.terminate()
            spread.machines.heal(two)
    assert f"2 visitors on machine '{host_name(two.ssh)}'" in said and "Traceback" not in said
    for machine in spread.machines.all:
        gone = partial(lambda it: not crowd_on(it), machine)
        assert wait_until(gone, deadline=Deadline.after(120), interval=2), crowd_on(machine)


def test_a_lost_machine_is_named_and_comes_back(spread: Spread) -> None:
    _, _, two = spread.machines.all
    spread.machines.cut(two)
    try:
        said = spread.run("status", "--lab", NAME, check=False)
        assert "unreachable" in said and "NOT healthy" in said
        failed = spread.run("up", "--config", str(spread.conf), check=False)
        assert "does not answer" in failed and "Traceback" not in failed
    finally:
        spread.machines.heal(two)
    spread.up()
    assert checked("status", spread.run("status", "--json", "--lab", NAME))["healthy"]


def test_the_drill_of_a_lost_machine(spread: Spread) -> None:
    said = spread.run("drill", "run", "machine-lost", "--lab", NAME, check=False)
    assert "as expected" in said, said


def test_halted_nodes_start_again(spread: Spread) -> None:
    spread.run("halt", "--lab", NAME)
    said = spread.run("status", "--lab", NAME, check=False)
    assert said.count("stopped") >= len(NODES)
    spread.up()


def test_a_node_moves_and_the_others_stay(spread: Spread) -> None:
    control, one, two = spread.machines.all
    before = two.docker("ps", "--quiet", "--no-trunc")
    spread.write(placement="{ jvb1 = local }")
    spread.up()
    assert "-jvb1" in spread.containers(control) and "-jvb1" not in spread.containers(one)
    assert two.docker("ps", "--quiet", "--no-trunc") == before
    spread.write()
    spread.up()


def test_nothing_is_left_on_any_machine(spread: Spread) -> None:
    spread.run("destroy", "--yes", "--lab", NAME)
    for machine in spread.machines.all:
        assert spread.containers(machine) == set()
        assert not machine.docker("volume", "ls", "--quiet").split()
        assert f"labctl-{NAME}" not in machine.docker("network", "ls", "--format", "{{.Name}}")
    interface = bridge_name(Workdir.of(NAME, root=ROOT))
    links = subprocess.run(
        spread.machines.control.inside("ip", "-o", "link"), capture_output=True, text=True
    )
    assert interface not in links.stdout
