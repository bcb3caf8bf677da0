"""The table of what differs between providers; everything else treats them alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from labctl import containers, dockernetwork
from labctl.errors import LabError
from labctl.model import Provider, Topology
from labctl.workdir import Workdir


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """One row of the table.

    `check_network` looks, before anything is built, whether the lab can have its network;
    `ssh_seconds` is how long a started node may take to answer ssh.
    `prepare` makes the host ready before Vagrant starts anything (it gets the machine ids that
    Vagrant remembers and answers which nodes it removed, and why), `clean` removes what is left
    of a lab, `states` answers faster than `vagrant status`, in its words, `start` and
    `halt` take nodes that Vagrant has made (it would ask the engine 170 times to start four, and
    stop them one after another).
    """

    provider: Provider
    ssh_seconds: float
    check_network: Callable[[Workdir, Topology], object]
    prepare: Callable[[Workdir, Topology, Mapping[str, str]], dict[str, str]]
    clean: Callable[[Workdir], None]
    states: Callable[[Workdir], dict[str, str]]
    start: Callable[[Workdir, Sequence[str]], None]
    halt: Callable[[Workdir, Sequence[str]], None]


TABLE: Mapping[Provider, ProviderFacts] = {
    Provider.DOCKER: ProviderFacts(
        provider=Provider.DOCKER,
        ssh_seconds=30.0,
        check_network=dockernetwork.check_free,
        prepare=containers.prepare,
        clean=containers.clean,
        states=containers.read_states,
        start=containers.start,
        halt=containers.halt,
    ),
}


def facts_of(provider: Provider) -> ProviderFacts:
    """The row of a provider; LabError for one that labctl cannot run yet."""
    try:
        return TABLE[provider]
    except KeyError:
        ready = ", ".join(f"'{name}'" for name in TABLE)
        raise LabError(
            f"Provider '{provider}' is not supported yet.", hint=f"Available: {ready}."
        ) from None
