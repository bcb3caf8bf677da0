"""The keys `hosts` and `placement`: the machines of a lab that is spread over several."""

from __future__ import annotations

from labctl.spec.readers import Fields, want_object, want_text
from labctl.topology.hosts import ADDRESS_WORDS, find_host, host_name, is_address
from labctl.topology.layout import names_of
from labctl.topology.roles import rows
from labctl.topology.spec import Spec


def want_hosts(fields: Fields, name: str) -> tuple[str, ...]:
    """A list of machines, each once; empty if it is absent."""
    value = fields.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        fields.note(name, f"must be a list of machines [ ... ], got {value!r}.")
        return ()
    if wrong := [item for item in value if not is_address(item)]:
        fields.note(name, f"must name machines as {ADDRESS_WORDS}, got {wrong[0]!r}.")
        return ()
    names = [host_name(item) for item in value]
    if twice := [each for each in names if names.count(each) > 1]:
        fields.note(name, f"must name each machine once, got {twice[0]!r} again.")
        return ()
    return tuple(value)


def want_placement(fields: Fields, name: str) -> dict[str, str]:
    """An object of nodes or roles with a machine each; `check_hosts` says whether these exist."""
    inner = want_object(fields, name)
    return {each: text for each in inner.values if (text := want_text(inner, each, None))}


def check_hosts(spec: Spec, fields: Fields) -> None:
    """`encrypt` needs machines, and `placement` names nodes and machines that there are."""
    if spec.encrypt and not spec.hosts:
        fields.note("encrypt", "needs 'hosts': a lab on one machine sends nothing to others.")
    if not spec.placement:
        return
    placement = want_object(fields, "placement")
    placement.refuse_unknown([*names_of(spec), *(str(row.role) for row in rows())])
    for name, host in spec.placement.items():
        if find_host(host, spec.hosts) is None:
            known = ", ".join(map(host_name, spec.hosts))
            hint = f"The machines: {known}." if known else "Name the machines in 'hosts'."
            placement.note(name, f"must be one of the machines in 'hosts', got {host!r}.", hint)
