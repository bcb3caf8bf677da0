"""What differs between providers by nature."""

from __future__ import annotations

import pytest

from labctl.capabilities import TABLE, ImageKind, capabilities_of
from labctl.drills import DRILLS
from labctl.drills.model import Need
from labctl.drills.needs import why_not
from labctl.layout import resolve
from labctl.model import Provider, Spec
from tests.rendering import fixed_trees

DOCKER_WRITES = [name for name in TABLE if TABLE[name].gives_names]
WE_WRITE = [name for name in TABLE if not TABLE[name].gives_names]


@pytest.mark.parametrize("provider", list(TABLE))
def test_a_row_says_for_whom_it_is(provider: Provider) -> None:
    row = capabilities_of(provider)
    assert row.provider is provider
    assert set(row.lacks) <= set(Need), "drills ask with the words of 'Need'"
    assert row.own_kernel == (row.image_kind is ImageKind.DISK)
    assert row.own_kernel == ("clock" not in row.kernel.partition("kernel and")[2])


@pytest.mark.parametrize("provider", WE_WRITE)
def test_nodes_get_all_names_where_the_provider_gives_none(provider: Provider) -> None:
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
def test_a_file_that_the_provider_writes_is_not_rendered(provider: Provider) -> None:
    trees = fixed_trees(Spec(provider=provider))
    assert not [file for tree in trees for file in tree.files if file.path == "/etc/hosts"]


@pytest.mark.parametrize("provider", list(TABLE))
def test_drills_on_the_clock_run_where_nodes_have_one(provider: Provider) -> None:
    topology = resolve(Spec(provider=provider))
    reasons = [why_not(drill, topology) for drill in DRILLS if Need.OWN_CLOCK in drill.needs]
    assert reasons
    assert all((reason is None) == TABLE[provider].own_kernel for reason in reasons)
