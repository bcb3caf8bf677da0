"""The providers by name, and what differs between them by nature."""

from __future__ import annotations

import pytest

from labctl.core.errors import LabError
from labctl.drills import DRILLS
from labctl.drills.model import Need
from labctl.drills.needs import why_not
from labctl.images.plan import ImageKind
from labctl.providers.base import describe_kernel
from labctl.providers.table import TABLE, provider_of
from labctl.topology.layout import resolve
from labctl.topology.spec import ProviderName, Spec
from tests.rendering import fixed_trees

DOCKER_WRITES = [name for name in TABLE if TABLE[name].writes_hosts]
WE_WRITE = [name for name in TABLE if not TABLE[name].writes_hosts]


@pytest.mark.parametrize("name", list(TABLE))
def test_what_is_known_of_a_provider_agrees(name: ProviderName) -> None:
    provider = provider_of(name)
    assert provider.name is name
    assert set(map(str, provider.lacks)) <= set(map(str, Need)), "drills ask with these words"
    assert provider.own_kernel == (provider.images.kind is ImageKind.DISK)
    assert ("this machine's" in describe_kernel(provider)) is not provider.own_kernel


@pytest.mark.parametrize("provider", [name for name in ProviderName if name not in TABLE])
def test_a_provider_without_a_row_is_refused_with_what_there_is(provider: ProviderName) -> None:
    with pytest.raises(LabError, match=f"'{provider}' is not supported yet") as caught:
        provider_of(provider)
    assert caught.value.hint == f"Available: {', '.join(map(repr, map(str, TABLE)))}."


@pytest.mark.parametrize("provider", WE_WRITE)
def test_nodes_get_all_names_where_the_provider_gives_none(provider: ProviderName) -> None:
    spec = Spec(jvbs=1, visitors=1, provider=provider)
    wanted = {f"{address}\t{name}" for name, address in resolve(spec).hosts.items()}
    assert {"192.168.56.105\tjms", "192.168.56.105\tauth.meet.lab.internal"} <= wanted
    for tree in fixed_trees(spec):
        [hosts] = [file for file in tree.files if file.path == "/etc/hosts"]
        assert (hosts.owner, hosts.mode) == ("root", 0o644)
        lines = hosts.text.splitlines()
        assert wanted <= set(lines)
        assert any(line.split() == ["127.0.0.1", "localhost"] for line in lines)
        # The node's own name is its address in the lab, for others and for itself.
        own = [line.split()[0] for line in lines if tree.node in line.split()[1:]]
        assert own == [str(resolve(spec).node(tree.node).address)]


@pytest.mark.parametrize("provider", DOCKER_WRITES)
def test_a_file_that_the_provider_writes_is_not_rendered(provider: ProviderName) -> None:
    trees = fixed_trees(Spec(provider=provider))
    assert not [file for tree in trees for file in tree.files if file.path == "/etc/hosts"]


@pytest.mark.parametrize("provider", list(TABLE))
def test_drills_on_the_clock_run_where_nodes_have_one(provider: ProviderName) -> None:
    topology = resolve(Spec(provider=provider))
    reasons = [why_not(drill, topology) for drill in DRILLS if Need.OWN_CLOCK in drill.needs]
    assert reasons
    assert all((reason is None) == provider_of(provider).own_kernel for reason in reasons)
