"""Which domains stay, and which are made anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.core.privilege import Privilege
from labctl.node.keys import ensure_keys
from labctl.providers.libvirt import machines
from labctl.providers.libvirt.domains import Domain, domain_name
from labctl.providers.libvirt.machines import (
    check_names,
    outdated,
    own,
    read_console,
    vagrant_data,
)
from labctl.providers.libvirt.network import mac_of
from labctl.providers.libvirt.volumes import seed_digest
from labctl.providers.vm.accel import Accelerator
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.model import Topology
from labctl.topology.spec import ProviderName, Role, Size, Spec
from labctl.topology.workdir import Workdir

IMAGES = {Role.JMS: "labctl-jms-1", Role.JVB: "labctl-jvb-1"}
TOPOLOGY = resolve(Spec(lab="demo", provider=ProviderName.LIBVIRT, jvbs=1, visitors=0))


@pytest.fixture(autouse=True)
def _four_emulated_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "find_accelerator", lambda: Accelerator("tcg", "it hangs"))
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monkeypatch.setattr(machines.volumes, "pool_path", lambda: Path("/srv/pool"))


@pytest.fixture
def topology() -> Topology:
    return TOPOLOGY.with_images(IMAGES)


@pytest.fixture
def workdir(tmp_path: Path, topology: Topology) -> Workdir:
    made = Workdir.of("demo", root=tmp_path)
    ensure_keys(Lab(made, topology))
    return made


@pytest.fixture
def domain(workdir: Workdir, topology: Topology) -> Domain:
    """The bridge's domain as it should be."""
    return Domain(
        name=domain_name("demo", "jvb1"),
        uuid="1",
        image=IMAGES[Role.JVB],
        seed=seed_digest(workdir, topology.node("jvb1")),
        owner=str(workdir.path.resolve()),
        memory_mib=2048,
        cpus=2,
        mac=mac_of(workdir, "jvb1"),
        files=(),
    )


def test_one_that_is_right_stays(workdir: Workdir, topology: Topology, domain: Domain) -> None:
    assert outdated(Lab(workdir, topology), "jvb1", domain) is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"image": "labctl-jvb-0"}, "its image changed"),
        ({"seed": "0"}, "its keys changed"),
        ({"memory_mib": 1024}, "its memory changed"),
        ({"mac": "52:54:00:00:00:00"}, "its MAC changed"),
        ({"cpus": 1}, "its CPUs changed"),
    ],
)
def test_one_that_differs_goes(
    workdir: Workdir, topology: Topology, domain: Domain, change: dict[str, str], why: str
) -> None:
    assert outdated(Lab(workdir, topology), "jvb1", replace(domain, **change)) == why


def test_one_that_the_lab_has_not_any_more(
    workdir: Workdir, topology: Topology, domain: Domain
) -> None:
    why = outdated(Lab(workdir, topology), "jvb9", domain)
    assert why == "the lab no longer has this node"


def test_a_lab_that_grows_keeps_machines_that_have_more_cores(
    workdir: Workdir, domain: Domain
) -> None:
    grown = resolve(Spec(lab="demo", provider=ProviderName.LIBVIRT, jvbs=3, visitors=0))
    assert vagrant_data(Lab(workdir, TOPOLOGY))["nodes"]["jvb1"]["cpus"] == 2
    assert outdated(Lab(workdir, grown.with_images(IMAGES)), "jvb1", domain) is None


def test_another_size_in_the_spec_is_another_machine(
    workdir: Workdir, topology: Topology, domain: Domain
) -> None:
    nodes = tuple(replace(node, size=Size(4096, node.size.cpus)) for node in topology.nodes)
    assert (
        outdated(Lab(workdir, replace(topology, nodes=nodes)), "jvb1", domain)
        == "its memory changed"
    )


def test_names_of_others_are_refused(workdir: Workdir, topology: Topology, domain: Domain) -> None:
    check_names(workdir, topology.nodes, [domain])
    for owner, whose in (("", "somebody else"), ("/x/.lab/demo", r"the lab in '/x/\.lab/demo'")):
        with pytest.raises(LabError, match=f"'labctl-demo-jvb1' belongs to {whose}"):
            check_names(workdir, topology.nodes, [replace(domain, owner=owner)])


def test_only_ones_own_are_touched(workdir: Workdir, domain: Domain) -> None:
    others = [replace(domain, owner="/x"), replace(domain, name="labctl-demo2-jvb1")]
    assert own(workdir, [domain, *others]) == [domain]


def test_what_the_vagrantfile_is_told(workdir: Workdir, topology: Topology) -> None:
    data = vagrant_data(Lab(workdir, topology))
    assert data["driver"] == "qemu"
    assert data["cpu_model"] == "qemu64"
    assert data["accelerator"] == "software emulation"
    assert data["patience"] == 8.0
    assert set(data["nodes"]) == {"jms", "jvb1"}
    # Where the pool really is: a machine may have another one under libvirt's usual name.
    assert data["nodes"]["jms"]["seed"] == "/srv/pool/labctl-demo-jms-seed.iso"
    text = (Path(__file__).parents[3] / "Vagrantfile").read_text(encoding="utf-8")
    for key in ("driver", "prefix", "cpu_mode", "network", "cidr", "pool"):
        assert f'machines["{key}"]' in text
    for key in data["nodes"]["jms"]:
        assert f'extra["{key}"]' in text


def test_with_kvm_machines_have_this_machines_processor(
    monkeypatch: pytest.MonkeyPatch, workdir: Workdir, topology: Topology
) -> None:
    monkeypatch.setattr(machines, "find_accelerator", lambda: Accelerator("kvm", "it boots"))
    data = vagrant_data(Lab(workdir, topology))
    assert (data["driver"], data["cpu_mode"], data["patience"]) == ("kvm", "host-passthrough", 1.0)


def test_a_console_that_is_not_for_this_user_is_named(
    workdir: Workdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machines, "find_privilege", lambda: Privilege.NONE)
    assert read_console(workdir, "jms") == ""
    workdir.logs.mkdir()
    workdir.console("jms").write_text("Welcome\n")
    assert read_console(workdir, "jms") == "Welcome\n"

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refuse)
    assert read_console(workdir, "jms") == f"(only root may read '{workdir.console('jms')}')"
