"""Plain data to a checked Spec, as `labctl.topology.spec` declares it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from labctl.core.errors import Problem, SpecError
from labctl.spec.hocon import load_hocon
from labctl.spec.hosts import check_hosts, want_hosts, want_placement
from labctl.spec.origin import Origins
from labctl.spec.packages import want_packages, with_source
from labctl.spec.readers import Fields, normal, want, want_mib, want_object
from labctl.topology.keys import (
    AUTO,
    AUTO_NETWORK,
    Declared,
    HostList,
    KeyGroup,
    Memory,
    PerRole,
    Placement,
    declared,
)
from labctl.topology.layout import jms_offset, last_offset
from labctl.topology.roles import rows
from labctl.topology.spec import Packages, Role, Size, Spec


@dataclass(frozen=True, slots=True)
class LoadedSpec:
    """A spec, the plain data it came from, and where each of its values comes from."""

    spec: Spec
    data: dict[str, Any]
    origins: Origins


def load_spec(
    config: Path | None, flags: Mapping[str, Any], *, saved: Mapping[str, Any] | None = None
) -> tuple[Spec, dict[str, Any]]:
    """The spec from a lab.conf (may be None) and flags, and the plain data it came from.

    Flags win; `flags` is by flag name, and None means that a flag was not given.  `saved` is the
    plain data of the lab's last run.  It is used if there is no lab.conf, so that a bare
    'labctl up' continues with the same lab.  Errors: SpecError with every problem, LabError if
    the file cannot be read.
    """
    loaded = load_with_origins(config, flags, saved=saved)
    return loaded.spec, loaded.data


def load_with_origins(
    config: Path | None, flags: Mapping[str, Any], *, saved: Mapping[str, Any] | None = None
) -> LoadedSpec:
    """`load_spec`, together with where each value comes from."""
    data = load_hocon(config) if config is not None else dict(saved or {})
    origins = Origins.of(config, data, flags)
    merged = _with_flags(data, flags)
    base = config.resolve().parent if config is not None else Path.cwd()
    return LoadedSpec(spec_from_data(merged, origins=origins, base=base), merged, origins)


def spec_from_data(data: Mapping[str, Any], *, origins: Origins | None = None, base: Path) -> Spec:
    """The spec that plain data describes; a relative packages.path is relative to `base`.

    With `origins`, an error says where each wrong value stands.
    """
    problems: list[Problem] = []
    fields = Fields.of(data, problems)
    keys = list(declared(Spec))
    fields.refuse_unknown(list(dict.fromkeys(each.key.top for each in keys)))
    tops = {each.key.top for each in keys if each.key.path != each.key.top}
    objects = {top: _object(fields, top, keys) for top in sorted(tops)}
    # Sizes come last: what a small lab leaves out of them is small.
    plain = [each for each in keys if not isinstance(each.key.kind, PerRole)]
    values: dict[str, Any] = {
        each.attribute: _read(each, fields, objects, base=base) for each in plain
    }
    for each in keys:
        if each not in plain:
            small = values["small"] is True
            values[each.attribute] = _sizes(fields, each.key.path, small=small)
    spec = Spec(**values)
    _check_network(spec, fields)
    check_hosts(spec, fields)
    if problems:
        raise _error(problems, origins)
    return spec


def _error(problems: list[Problem], origins: Origins | None) -> SpecError:
    if origins is None:
        return SpecError(problems)
    return SpecError(list(map(origins.located, problems)), source=origins.sources(problems))


def _with_flags(data: Mapping[str, Any], flags: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data in which each flag that was given replaces the value of its key."""
    merged = {normal(key): value for key, value in data.items()}
    for each in declared(Spec):
        key = each.key
        value = flags.get(key.flag) if key.flag is not None else None
        if value is None:
            continue
        if isinstance(key.kind, KeyGroup):
            merged[key.path] = with_source(merged.get(key.path), value)
        elif key.path == key.top:
            merged[key.path] = value
        else:
            merged[key.top] = _as_object(merged.get(key.top), key.top) | {key.name: value}
    return merged


def _as_object(value: Any, top: str) -> dict[str, Any]:
    """An object of keys; a bare value becomes an object with that one key."""
    if isinstance(value, Mapping):
        return {normal(key): item for key, item in value.items()}
    bare = next(each.key for each in declared(Spec) if each.key.top == top and each.key.bare)
    return {} if value is None else {bare.name: value}


def _object(fields: Fields, top: str, keys: list[Declared]) -> Fields | None:
    """The fields of an object; None if there is a bare value instead."""
    value = fields.get(top)
    if value is not None and not isinstance(value, Mapping):
        return None
    inner = want_object(fields, top)
    inner.refuse_unknown([each.key.name for each in keys if each.key.top == top])
    return inner


def _read(
    each: Declared, fields: Fields, objects: Mapping[str, Fields | None], *, base: Path
) -> Any:
    """The value of one key: as given, else its default."""
    key = each.key
    if key.kind == KeyGroup(Packages):
        return want_packages(fields, base=base)
    if isinstance(key.kind, HostList):
        return want_hosts(fields, key.name)
    if isinstance(key.kind, Placement):
        return want_placement(fields, key.name)
    if key.path == key.top:
        return want(fields, key.name, key.kind, each.default)
    inner = objects[key.top]
    if inner is not None:
        return want(inner, key.name, key.kind, each.default)
    return want(fields, key.top, key.kind, each.default) if key.bare else each.default


def _sizes(fields: Fields, name: str, *, small: bool) -> dict[Role, Size]:
    """Sizes of the roles that are named; what is left out is as the role has it in such a lab."""
    roles = want_object(fields, name)
    roles.refuse_unknown([str(row.role) for row in rows()])
    sizes: dict[Role, Size] = {}
    for row in (row for row in rows() if roles.get(str(row.role)) is not None):
        inner = want_object(roles, str(row.role))
        inner.refuse_unknown([each.key.name for each in declared(Size)])
        values = {}
        for each in declared(Size):
            default = getattr(row.small if small else row.size, each.attribute)
            if isinstance(each.key.kind, Memory):
                least = row.least_memory_mib
                values[each.attribute] = want_mib(inner, each.key.name, default, least=least)
            else:
                values[each.attribute] = want(inner, each.key.name, each.key.kind, default)
        sizes[row.role] = Size(**values)
    return sizes


def _check_network(spec: Spec, fields: Fields) -> None:
    """The network must hold every node, and a domain that is an address must be the JMS's."""
    highest = last_offset(spec)
    chosen = spec.network != AUTO_NETWORK
    last = min(spec.network.num_addresses - 2, 254) if chosen else 254
    if highest > last:
        fields.note(
            "network",
            f"'{spec.network if chosen else AUTO}' cannot hold the nodes: "
            f"offset {highest} is needed, {last} is the last.",
            "Use a /24, or put more vnodes on each node with 'visitors.per-node'.",
        )
        return
    if re.fullmatch(r"[0-9.]+", spec.domain):
        if not chosen:
            fields.note("domain", "cannot be an address if the network is 'auto'.")
            return
        jms = IPv4Address(spec.network[jms_offset()])
        if spec.domain != str(jms):
            fields.note("domain", f"may be an address only if it is the JMS's, '{jms}'.")
