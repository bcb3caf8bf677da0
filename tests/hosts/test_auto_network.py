"""A machine on which the usual network is taken: another one is chosen, kept and suggested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

import click
import pytest

from labctl.cli.up import up_command
from labctl.core.checks import CheckStatus
from labctl.core.errors import LabError, SpecError
from labctl.core.progress import silent
from labctl.host import network as host_network
from labctl.host.network import Interface, NetworkTakenError
from labctl.host.routes import Route
from labctl.lab import doctor
from labctl.lab.network import chosen_file, settle_network
from labctl.lab.up import render_only
from labctl.providers.docker import network as docker_network
from labctl.providers.virtualbox.network import check_allowed
from labctl.spec import load_spec
from labctl.topology.keys import AUTO_NETWORK
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir

AUTO = Spec(lab="demo", network=AUTO_NETWORK)
FIRST, SECOND, THIRD = (IPv4Network(f"192.168.{n}.0/24") for n in (56, 57, 58))


def taken(*networks: IPv4Network) -> Callable[[Spec], None]:
    """A machine on which these networks are taken."""

    def check(spec: Spec) -> None:
        if spec.network in networks:
            raise NetworkTakenError(f"Network {spec.network} is taken.", hint="Disconnect it.")

    return check


@pytest.fixture
def folder(tmp_path: Path) -> Workdir:
    return Workdir.of("demo", root=tmp_path)


def settle(folder: Workdir, spec: Spec, *networks: IPv4Network) -> IPv4Network:
    check = taken(*networks)
    return settle_network(spec, workdir=folder, progress=silent, check=check).network


def with_machines(folder: Workdir) -> None:
    (folder.vagrant / "machines" / "jms" / "docker").mkdir(parents=True)
    (folder.vagrant / "machines" / "jms" / "docker" / "id").write_text("0123")


def test_the_first_free_network_is_taken_and_kept(folder: Workdir) -> None:
    assert settle(folder, AUTO, FIRST) == SECOND
    assert settle(folder, AUTO) == SECOND, "although the first one is free again"


def test_a_lab_that_has_a_network_keeps_it(folder: Workdir) -> None:
    folder.path.mkdir(parents=True)
    folder.save_topology(resolve(replace(AUTO, network=IPv4Network("10.7.7.0/24"))))
    assert settle(folder, AUTO) == IPv4Network("10.7.7.0/24")


def test_a_lab_without_machines_moves_away_from_what_has_come(folder: Workdir) -> None:
    assert settle(folder, AUTO) == FIRST
    assert settle(folder, AUTO, FIRST) == SECOND
    with_machines(folder)
    with pytest.raises(NetworkTakenError, match=r"192\.168\.57\.0/24 is taken"):
        settle(folder, AUTO, SECOND)


def test_labs_of_this_checkout_have_their_networks_also_when_they_are_down(
    folder: Workdir, tmp_path: Path
) -> None:
    other = Workdir.of("other", root=tmp_path)
    other.path.mkdir(parents=True)
    other.save_topology(resolve(Spec(lab="other", network=FIRST)))
    third = Workdir.of("third", root=tmp_path)
    assert settle(third, replace(AUTO, lab="third")) == SECOND
    (tmp_path / ".lab" / "current").symlink_to("other")
    assert settle(folder, AUTO) == THIRD


def test_a_damaged_choice_is_made_again(folder: Workdir) -> None:
    assert settle(folder, AUTO) == FIRST
    chosen_file(folder).write_text("{")
    assert settle(folder, AUTO, FIRST) == SECOND


def test_another_error_ends_the_search(folder: Workdir) -> None:
    def check(spec: Spec) -> None:
        raise LabError("No engine answers.")

    with pytest.raises(LabError, match="No engine answers"):
        settle_network(AUTO, workdir=folder, progress=silent, check=check)


def test_up_suggests_it_when_the_network_is_taken(folder: Workdir) -> None:
    with pytest.raises(NetworkTakenError) as caught:
        settle(folder, Spec(lab="demo"), FIRST, SECOND)
    assert caught.value.hint == (
        "'--network auto' takes the next free one, now 192.168.58.0/24. Or: Disconnect it."
    )
    assert not chosen_file(folder).exists(), "a suggestion is no choice"


@pytest.mark.parametrize("way", ["flag", "key", "saved"])
def test_auto_may_be_said_like_any_network(way: str, tmp_path: Path) -> None:
    conf = tmp_path / "lab.conf"
    conf.write_text("network = auto\n", encoding="utf-8")
    spec, data = {
        "flag": lambda: load_spec(None, {"network": "auto"}),
        "key": lambda: load_spec(conf, {}),
        "saved": lambda: load_spec(None, {}, saved={"network": "auto"}),
    }[way]()
    assert spec.network == AUTO_NETWORK and data["network"] == "auto"
    assert spec.to_json()["network"] == "auto" and Spec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"domain": "192.168.56.105"}, "cannot be an address if the network is 'auto'"),
        ({"visitors": 64, "visitors-per-node": 1}, "'auto' cannot hold the nodes: offset 264"),
    ],
    ids=["domain", "size"],
)
def test_what_auto_cannot_be_combined_with(flags: dict[str, object], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        load_spec(None, {"network": "auto", **flags})


def test_a_shell_completes_auto() -> None:
    [option] = [param for param in up_command.params if "--network" in param.opts]
    found = option.shell_complete(click.Context(up_command), "a")
    assert [item.value for item in found] == ["auto"]


def machine(monkeypatch: pytest.MonkeyPatch, *routes: Route) -> None:
    """A machine whose Ethernet has the first network."""
    interfaces = (Interface("eth0", (IPv4Interface("192.168.56.7/24"),)),)
    monkeypatch.setattr(host_network, "read_interfaces", lambda: interfaces)
    monkeypatch.setattr(host_network, "read_routes", lambda: routes)
    monkeypatch.setattr(host_network, "read_rules", lambda: ())


def test_doctor_suggests_and_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, Route(SECOND, "vmnet8"))
    check = doctor.check_network(FIRST)
    assert check.status is CheckStatus.FAIL
    assert "'--network auto' takes the next free one, now 192.168.58.0/24." in (check.hint or "")
    assert doctor.check_network(AUTO_NETWORK).found == "192.168.58.0/24 is the next free one"


def test_files_can_be_rendered_without_a_provider(
    folder: Workdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch)
    spec = replace(AUTO, jvbs=0, visitors=0)
    topology = render_only(spec, workdir=folder, progress=silent)
    assert topology.network == SECOND and str(topology.jms.address) == "192.168.57.105"
    assert render_only(spec, workdir=folder, progress=silent).network == SECOND


# Recorded: `docker network inspect` of Docker 20.10, cut to what is read.
INSPECTED = """[
{"Name":"bridge","IPAM":{"Config":[{"Subnet":"172.17.0.0/16"}]},"Options":{},"Labels":{}},
{"Name":"shop_default","IPAM":{"Config":[{"Subnet":"192.168.56.0/21"}]},"Options":null,
 "Labels":{"com.docker.compose.project":"shop"}}]"""


def test_networks_of_the_engine_count_although_no_interface_has_them(
    folder: Workdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = docker_network.parse_networks(INSPECTED)
    monkeypatch.setattr(docker_network, "read_networks", lambda: networks)
    machine(monkeypatch)

    def check(spec: Spec) -> object:
        return docker_network.check_free(Lab(folder, resolve(spec)))

    found = settle_network(AUTO, workdir=folder, progress=silent, check=check).network
    assert found == IPv4Network("192.168.64.0/24")


def test_virtualbox_refuses_most_networks(tmp_path: Path) -> None:
    with pytest.raises(NetworkTakenError, match="does not allow"):
        check_allowed(IPv4Network("192.168.72.0/24"), file=tmp_path / "none")
