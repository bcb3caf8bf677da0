"""Which host-only interface a lab may have, and which it must leave alone."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from labctl.core.checks import CheckStatus
from labctl.core.errors import LabError
from labctl.providers.virtualbox.claims import (
    Claim,
    claims_file,
    claims_of,
    load_claims,
    save_claims,
)
from labctl.providers.virtualbox.host import check_claims
from labctl.providers.virtualbox.inventory import Machine
from labctl.providers.virtualbox.network import (
    HostOnly,
    check_allowed,
    choose,
    interface_name,
    parse_allowed,
    parse_dhcp,
    parse_interfaces,
    remove_interface,
)
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import ProviderName, Spec
from labctl.topology.workdir import Workdir
from tests.samples import SAMPLES

RECORDED = Path(__file__).with_name("recorded")
TOPOLOGY = resolve(Spec(lab="demo", provider=ProviderName.VIRTUALBOX))
NET0 = HostOnly("vboxnet0", IPv4Interface("192.168.56.1/24"))
ELSEWHERE = replace(NET0, address=IPv4Interface("192.168.60.1/24"))
WITHOUT = replace(NET0, address=None)
WIDE = replace(NET0, address=IPv4Interface("192.168.56.1/21"))
SERVER = Machine("7", "server", "running", 1, 1, "", ("vboxnet0",), "", "", "", "", "", "")


@pytest.fixture
def workdir(tmp_path: Path) -> Workdir:
    made = Workdir.of("demo", root=tmp_path)
    made.path.mkdir(parents=True)
    return made


def own_machine(workdir: Workdir) -> Machine:
    here = str(workdir.path)
    return replace(SERVER, name="labctl-demo-jms", workdir=here, node="jms")


def own_claim(workdir: Workdir) -> dict[str, Claim]:
    return {"vboxnet0": Claim(str(workdir.path), "192.168.56.0/24", made=True)}


def test_interfaces_and_dhcp_are_read() -> None:
    assert parse_interfaces((RECORDED / "list-hostonlyifs.txt").read_text()) == (NET0,)
    assert parse_dhcp((RECORDED / "list-dhcpservers.txt").read_text()) == {
        "HostInterfaceNetworking-vboxnet0": True
    }
    assert parse_interfaces("") == ()


def test_an_interface_without_an_address_is_read() -> None:
    text = (RECORDED / "list-hostonlyifs.txt").read_text()
    (found,) = parse_interfaces(text.replace("192.168.56.1", "0.0.0.0"))
    assert found.address is None


@pytest.mark.parametrize(
    ("found", "claimed", "name"),
    [
        pytest.param([], False, None, id="none"),
        pytest.param([NET0], False, "vboxnet0", id="fits, nobody uses it"),
        pytest.param([NET0], True, "vboxnet0", id="ours"),
        pytest.param([WITHOUT], True, "vboxnet0", id="ours, lost its address"),
        pytest.param([WITHOUT], False, None, id="not ours, without address"),
        pytest.param([ELSEWHERE], False, None, id="another network"),
        pytest.param([ELSEWHERE], True, None, id="ours once, made anew by somebody"),
    ],
)
def test_what_a_lab_may_use(
    found: list[HostOnly], claimed: bool, name: str | None, workdir: Workdir
) -> None:
    claims = own_claim(workdir) if claimed else {}
    machines = [own_machine(workdir)]
    assert choose(Lab(workdir, TOPOLOGY), found, claims, machines) == name


def test_another_labs_interface_is_left_alone(workdir: Workdir, tmp_path: Path) -> None:
    claims = {"vboxnet0": Claim(str(tmp_path), "192.168.56.0/24", made=True)}
    with pytest.raises(LabError, match=f"'vboxnet0', which belongs to the lab in '{tmp_path}'"):
        choose(Lab(workdir, TOPOLOGY), [NET0], claims, [])


def test_a_lab_that_was_removed_by_hand_owns_nothing(workdir: Workdir, tmp_path: Path) -> None:
    claims = {"vboxnet0": Claim(str(tmp_path / "gone"), "192.168.56.0/24", made=True)}
    assert choose(Lab(workdir, TOPOLOGY), [NET0], claims, []) == "vboxnet0"


@pytest.mark.parametrize("claimed", [False, True])
def test_an_interface_of_other_machines_is_left_alone(claimed: bool, workdir: Workdir) -> None:
    claims = own_claim(workdir) if claimed else {}
    with pytest.raises(LabError, match=r"machines of somebody else \('server'\)"):
        choose(Lab(workdir, TOPOLOGY), [NET0], claims, [own_machine(workdir), SERVER])


def test_a_copy_of_a_node_made_by_hand_is_somebody_elses(workdir: Workdir) -> None:
    copy = replace(own_machine(workdir), name="labctl-demo-jms Clone")
    with pytest.raises(LabError, match="'labctl-demo-jms Clone'"):
        choose(Lab(workdir, TOPOLOGY), [NET0], {}, [copy])


def test_an_overlapping_interface_of_nobody_is_not_changed(workdir: Workdir) -> None:
    with pytest.raises(LabError, match=r"overlaps .*'vboxnet0' \(192.168.56.1/21\)") as caught:
        choose(Lab(workdir, TOPOLOGY), [WIDE], {}, [])
    assert "hostonlyif remove vboxnet0" in (caught.value.hint or "")


def test_claims_are_kept_per_folder(workdir: Workdir, tmp_path: Path) -> None:
    assert load_claims() == {}
    with pytest.raises(LabError, match="no host-only network"):
        interface_name(workdir)
    other = Claim(str(tmp_path), "192.168.57.0/24", made=False)
    save_claims({**own_claim(workdir), "vboxnet1": other})
    assert claims_of(workdir) == own_claim(workdir)
    assert interface_name(workdir) == "vboxnet0"
    assert load_claims()["vboxnet1"] == other


@pytest.mark.parametrize("text", ["", "[]", '{"vboxnet0": {"colour": 1}}', '{"vboxnet0": 1}'])
def test_a_damaged_list_of_claims_is_no_list(text: str) -> None:
    claims_file().parent.mkdir(parents=True, exist_ok=True)
    claims_file().write_text(text)
    assert load_claims() == {}
    (check,) = check_claims()
    assert check.status is CheckStatus.WARN
    assert str(claims_file()) in check.found
    assert "VBoxManage list hostonlyifs" in str(check.hint)


def test_claims_of_a_newer_labctl_are_not_written_over(workdir: Workdir) -> None:
    save_claims(own_claim(workdir))
    assert check_claims() == []
    text = claims_file().read_text().replace('"format": 2', '"format": 3')
    claims_file().write_text(text)
    with pytest.raises(LabError, match="a newer labctl wrote it"):
        load_claims()
    remove_interface(workdir)
    assert claims_file().read_text() == text


def test_claims_as_the_first_labctl_wrote_them(workdir: Workdir) -> None:
    sample = SAMPLES / "state" / "labctl" / "virtualbox-networks.json"
    claims_file().parent.mkdir(parents=True, exist_ok=True)
    claims_file().write_text(sample.read_text())
    claim = Claim("/srv/labctl/.lab/machines", "192.168.56.0/24", made=True)
    assert load_claims() == {"vboxnet0": claim}
    save_claims(load_claims())
    assert load_claims() == {"vboxnet0": claim}


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("* 10.0.0.0/8 192.168.0.0/16\n* 2001::/64\n", ["10.0.0.0/8", "192.168.0.0/16"]),
        ("# * 10.0.0.0/8\n*172.16.0.0/12\n", ["172.16.0.0/12"]),
        ("* 10.0.0.0/8, nonsense\n", []),
        ("", []),
    ],
)
def test_allowed_ranges_are_read(text: str, ranges: list[str]) -> None:
    assert parse_allowed(text) == tuple(map(IPv4Network, ranges))


@pytest.mark.parametrize("network", ["192.168.56.0/24", "192.168.63.0/24"])
def test_virtualbox_allows_its_own_range_by_default(network: str, tmp_path: Path) -> None:
    check_allowed(IPv4Network(network), file=tmp_path / "networks.conf")


def test_a_network_outside_of_it_is_refused_with_the_line_to_add(tmp_path: Path) -> None:
    file = tmp_path / "networks.conf"
    with pytest.raises(LabError, match=r"only: 192\.168\.56\.0/21") as caught:
        check_allowed(IPv4Network("10.9.8.0/24"), file=file)
    assert "'* 10.9.8.0/24'" in (caught.value.hint or "")
    file.write_text("* 10.0.0.0/8\n")
    check_allowed(IPv4Network("10.9.8.0/24"), file=file)
    with pytest.raises(LabError, match=r"only: 10\.0\.0\.0/8"):
        check_allowed(IPv4Network("192.168.56.0/24"), file=file)
