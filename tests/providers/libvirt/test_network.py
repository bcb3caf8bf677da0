"""A lab's libvirt network: as XML, and what is asked of virsh when it is made or grows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.core.process import Result
from labctl.host.network import bridge_name
from labctl.providers.libvirt import network
from labctl.providers.libvirt.network import (
    LibvirtNetwork,
    check_free,
    ensure_network,
    mac_of,
    parse_network,
    remove_network,
    render_network,
    wanted,
)
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir

SMALL = resolve(Spec(lab="demo", jvbs=1, visitors=0))
# As `virsh net-dumpxml` of libvirt 9.0 prints the network that it makes when it is installed.
DEFAULT = """\
<network>
  <name>default</name>
  <uuid>6a1b1d3e-8b7f-4b8e-9d6b-3d5a0c1c7c55</uuid>
  <forward mode='nat'>
    <nat>
      <port start='1024' end='65535'/>
    </nat>
  </forward>
  <bridge name='virbr0' stp='on' delay='0'/>
  <mac address='52:54:00:11:22:33'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
    </dhcp>
  </ip>
</network>
"""


class FakeVirsh:
    """libvirt with some networks: remembers what it is told."""

    def __init__(self, networks: dict[str, str], active: set[str]) -> None:
        self.networks, self.active, self.calls = networks, active, list[tuple[str, ...]]()

    def __call__(self, *words: str | Path, check: bool = True, timeout: float = 60.0) -> str:
        match words:
            case ("net-list", "--all", "--name"):
                return "\n".join(self.networks)
            case ("net-list", "--name"):
                return "\n".join(self.active)
            case ("net-dumpxml", "--inactive", name):
                return self.networks[str(name)]
            case ("net-define", file):
                self.calls.append(("net-define",))
                text = Path(file).read_text()
                self.networks[parse_network(text).name] = text
            case _:
                self.calls.append(tuple(map(str, words)))
        return ""

    def ask(self, *words: str | Path, timeout: float = 60.0) -> Result:
        return Result(tuple(map(str, words)), 0, self(*words))


@pytest.fixture
def workdir(tmp_path: Path) -> Workdir:
    made = Workdir.of("demo", root=tmp_path)
    made.path.mkdir(parents=True)
    return made


@pytest.fixture
def libvirt(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeVirsh]:
    def make(*networks: LibvirtNetwork | str, active: bool = True) -> FakeVirsh:
        texts = [net if isinstance(net, str) else render_network(net) for net in networks]
        named = {parse_network(text).name: text for text in texts}
        fake = FakeVirsh(named, set(named) if active else set())
        monkeypatch.setattr(network, "virsh", fake)
        monkeypatch.setattr(network, "ask", fake.ask)
        monkeypatch.setattr(network, "check_network", lambda *_, **__: None)
        return fake

    return make


def test_xml_there_and_back(workdir: Workdir) -> None:
    goal = wanted(Lab(workdir, SMALL))
    assert parse_network(render_network(goal)) == goal
    assert goal.hosts[mac_of(workdir, "jvb1")] == ("jvb1", "192.168.56.106")


def test_xml_forwards_nowhere_names_nothing_and_gives_no_other_address(workdir: Workdir) -> None:
    text = render_network(wanted(Lab(workdir, SMALL)))
    assert "<forward" not in text
    assert '<dns enable="no"' in text
    assert "<range" not in text
    assert text.count('<lease expiry="0"') == len(SMALL.nodes)


def test_libvirts_own_network_is_nobodys_of_ours() -> None:
    found = parse_network(DEFAULT)
    assert found.owner == ""
    assert found.subnet == IPv4Network("192.168.122.0/24")
    assert found.hosts == {}


def test_macs_are_of_the_lab_and_stay(tmp_path: Path) -> None:
    one, two = (Workdir.of("demo", root=tmp_path / name) for name in ("a", "b"))
    macs = {mac_of(lab, node) for lab in (one, two) for node in ("jms", "jvb1", "jvb2")}
    assert len(macs) == 6
    assert mac_of(one, "jms") in macs
    assert all(mac.startswith("52:54:00:") for mac in macs)


def test_a_new_network_is_defined_and_started(
    workdir: Workdir, libvirt: Callable[..., FakeVirsh]
) -> None:
    fake = libvirt(DEFAULT)
    ensure_network(Lab(workdir, SMALL))
    assert fake.calls == [
        ("net-define",),
        ("net-start", "labctl-demo"),
        ("net-autostart", "labctl-demo"),
    ]


def test_one_that_is_right_is_left(workdir: Workdir, libvirt: Callable[..., FakeVirsh]) -> None:
    fake = libvirt(wanted(Lab(workdir, SMALL)))
    ensure_network(Lab(workdir, SMALL))
    assert fake.calls == []


def test_one_that_was_stopped_is_started(
    workdir: Workdir, libvirt: Callable[..., FakeVirsh]
) -> None:
    fake = libvirt(wanted(Lab(workdir, SMALL)), active=False)
    ensure_network(Lab(workdir, SMALL))
    assert fake.calls[0] == ("net-start", "labctl-demo")


def test_a_lab_that_grows_keeps_its_network_running(
    workdir: Workdir, libvirt: Callable[..., FakeVirsh]
) -> None:
    fake = libvirt(wanted(Lab(workdir, SMALL)))
    ensure_network(Lab(workdir, resolve(Spec(lab="demo", jvbs=2, visitors=0))))
    (call,) = fake.calls
    assert call[:4] == ("net-update", "labctl-demo", "add-last", "ip-dhcp-host")
    assert mac_of(workdir, "jvb2") in call[4]
    assert call[5:] == ("--config", "--live")


def test_a_lab_that_shrinks_gives_the_address_back(
    workdir: Workdir, libvirt: Callable[..., FakeVirsh]
) -> None:
    fake = libvirt(wanted(Lab(workdir, resolve(Spec(lab="demo", jvbs=2, visitors=0)))))
    ensure_network(Lab(workdir, SMALL))
    assert [call[2] for call in fake.calls] == ["delete"]


def test_other_addresses_are_another_network(
    workdir: Workdir, libvirt: Callable[..., FakeVirsh]
) -> None:
    fake = libvirt(replace(wanted(Lab(workdir, SMALL)), subnet=IPv4Network("192.168.60.0/24")))
    ensure_network(Lab(workdir, SMALL))
    assert [call[0] for call in fake.calls][:3] == ["net-destroy", "net-undefine", "net-define"]


def test_the_name_is_another_labs(workdir: Workdir, libvirt: Callable[..., FakeVirsh]) -> None:
    libvirt(replace(wanted(Lab(workdir, SMALL)), owner="/home/ann/.lab/demo"))
    with pytest.raises(LabError, match=r"belongs to the lab in '/home/ann/\.lab/demo'"):
        check_free(Lab(workdir, SMALL))


@pytest.mark.parametrize(
    ("owner", "whose"), [("", "somebody else"), ("/x/.lab/a", "the lab in '/x/.lab/a'")]
)
def test_the_addresses_are_anothers(
    workdir: Workdir, libvirt: Callable[..., FakeVirsh], owner: str, whose: str
) -> None:
    libvirt(replace(wanted(Lab(workdir, SMALL)), name="course", owner=owner))
    with pytest.raises(LabError, match=f"libvirt network 'course' of {whose}"):
        check_free(Lab(workdir, SMALL))


def test_removing_takes_only_ones_own(workdir: Workdir, libvirt: Callable[..., FakeVirsh]) -> None:
    other = replace(wanted(Lab(workdir, SMALL)), name="other", owner="/x", bridge="lab-0")
    fake = libvirt(DEFAULT, other, wanted(Lab(workdir, SMALL)))
    remove_network(workdir)
    assert fake.calls == [("net-destroy", "labctl-demo"), ("net-undefine", "labctl-demo")]


def test_an_interface_that_has_the_addresses_is_a_refusal(
    workdir: Workdir, libvirt: Callable[..., FakeVirsh], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A VPN's or another hypervisor's, of which libvirt knows nothing."""

    def refuse(net: IPv4Network, *, allow: tuple[str, ...]) -> None:
        assert (net, allow) == (SMALL.network, (bridge_name(workdir),))
        raise LabError("Network 192.168.56.0/24 is taken by interface 'tun0'.")

    libvirt()
    monkeypatch.setattr(network, "check_network", refuse)
    with pytest.raises(LabError, match="taken by interface 'tun0'"):
        check_free(Lab(workdir, SMALL))
