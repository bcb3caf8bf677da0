"""Plain data to a checked Spec; this is where the bounds are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from labctl.errors import Problem, SpecError
from labctl.layout import FIRST_JVB_OFFSET, FIRST_VISITORS_OFFSET, JMS_OFFSET, MAX_JVBS, MAX_VNODES
from labctl.model import (
    DEFAULT_SIZES,
    VNODE_DOMAIN,
    Role,
    Size,
    Spec,
    VisitorsLayout,
)
from labctl.spec import keys
from labctl.spec.hocon import load_hocon
from labctl.spec.packages import want_packages, with_source
from labctl.spec.readers import (
    Fields,
    normal,
    want_bool,
    want_choice,
    want_int,
    want_mib,
    want_name,
    want_network,
    want_object,
)

# systemd, sshd and the role's own services do not start reliably below these.
LEAST_MEMORY = {Role.JMS: 1024, Role.JVB: 512, Role.VISITORS: 256}
MOST_CPUS = 64
MOST_PARTICIPANTS = 1000
MOST_NAME = 253 - len("internal.auth.")

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"^{_LABEL}(\.{_LABEL})+$")


def load_spec(
    config: Path | None, flags: Mapping[str, Any], *, saved: Mapping[str, Any] | None = None
) -> tuple[Spec, dict[str, Any]]:
    """The spec from a lab.conf (may be None) and flags, and the plain data it came from.

    Flags win; `flags` has the keys of lab.conf, and None means that a flag was not given.
    `saved` is the plain data of the lab's last run: it stands in where there is no lab.conf, so
    that a bare 'labctl up' goes on with the same lab.  Errors: SpecError with every problem,
    LabError when the file cannot be read.
    """
    data = load_hocon(config) if config is not None else dict(saved or {})
    source = f"'{config}'" if config is not None else "the command line"
    merged = _with_flags(data, flags)
    base = config.resolve().parent if config is not None else Path.cwd()
    return spec_from_data(merged, source=source, base=base), merged


def spec_from_data(data: Mapping[str, Any], *, source: str = "the spec", base: Path) -> Spec:
    """The spec that plain data describes; `base` is what a relative packages.path is under."""
    problems: list[Problem] = []
    fields = Fields.of(data, problems)
    fields.refuse_unknown(keys.TOP)
    defaults = Spec()
    count, per_node, layout = _visitors(fields, defaults)
    spec = Spec(
        lab=want_name(fields, "lab", defaults.lab),
        provider=want_choice(fields, "provider", defaults.provider),
        network=want_network(fields, "network", defaults.network),
        domain=_domain(fields, defaults.domain),
        jvbs=want_int(fields, "jvbs", defaults.jvbs, least=0, most=MAX_JVBS),
        visitors=count,
        visitors_per_node=per_node,
        visitors_layout=layout,
        max_participants=want_int(
            fields,
            "max-participants",
            defaults.max_participants,
            least=1,
            most=MOST_PARTICIPANTS,
        ),
        relays=want_bool(fields, "relays", default=defaults.relays),
        turn=want_bool(fields, "turn", default=defaults.turn),
        packages=want_packages(fields, base=base),
        sizes=_sizes(fields),
    )
    _check_network(spec, fields)
    if problems:
        raise SpecError(problems, source=source)
    return spec


def _with_flags(data: Mapping[str, Any], flags: Mapping[str, Any]) -> dict[str, Any]:
    merged = {normal(key): value for key, value in data.items()}
    given = {key: value for key, value in flags.items() if value is not None}
    of_visitors = {
        key: given.pop(f"visitors-{key}")
        for key in ("per-node", "layout")
        if f"visitors-{key}" in given
    }
    packages = given.pop("packages", None)
    if "visitors" in given:
        of_visitors["count"] = given.pop("visitors")
    if of_visitors:
        old = merged.get("visitors")
        kept = dict(old) if isinstance(old, Mapping) else {"count": old}
        visitors = {normal(key): value for key, value in kept.items()} | of_visitors
        merged["visitors"] = {key: value for key, value in visitors.items() if value is not None}
    if packages is not None:
        merged["packages"] = with_source(merged.get("packages"), packages)
    return {**merged, **given}


def _visitors(fields: Fields, defaults: Spec) -> tuple[int, int, VisitorsLayout]:
    """`visitors = 8`, or `visitors { count = 8, per_node = 4, layout = nodes }`."""
    value = fields.values.get("visitors")
    if not isinstance(value, Mapping):
        count = want_int(fields, "visitors", defaults.visitors, least=0, most=MAX_VNODES)
        return count, defaults.visitors_per_node, defaults.visitors_layout
    inner = want_object(fields, "visitors")
    inner.refuse_unknown(keys.VISITORS)
    count = want_int(inner, "count", defaults.visitors, least=0, most=MAX_VNODES)
    per_node = want_int(inner, "per-node", defaults.visitors_per_node, least=1, most=MAX_VNODES)
    return count, per_node, want_choice(inner, "layout", defaults.visitors_layout)


def _domain(fields: Fields, default: str) -> str:
    value = fields.get("domain")
    if value is None:
        return default
    text = str(value).lower()
    if text == VNODE_DOMAIN or text.endswith(f".{VNODE_DOMAIN}"):
        fields.note(
            "domain",
            f"must not lie in '{VNODE_DOMAIN}', got {value!r}.",
            "That suffix belongs to the visitor Prosodies; Jitsi hard-codes it.",
        )
    elif not _DOMAIN.match(text) or len(text) > MOST_NAME:
        fields.note("domain", f"must be a host name with a dot in it, got {value!r}.")
    else:
        return text
    return default


def _sizes(fields: Fields) -> dict[Role, Size]:
    roles = want_object(fields, "roles")
    roles.refuse_unknown(keys.ROLES)
    sizes: dict[Role, Size] = {}
    for role in Role:
        inner = want_object(roles, str(role))
        inner.refuse_unknown(keys.SIZES)
        default = DEFAULT_SIZES[role]
        sizes[role] = Size(
            memory_mib=want_mib(inner, "memory", default.memory_mib, least=LEAST_MEMORY[role]),
            cpus=want_int(inner, "cpus", default.cpus, least=1, most=MOST_CPUS),
        )
    return sizes


def _check_network(spec: Spec, fields: Fields) -> None:
    """The network must hold every node, and a domain that is an address must be the JMS's."""
    local = spec.visitors_layout is VisitorsLayout.LOCAL
    visitors_nodes = 0 if local else -(-spec.visitors // spec.visitors_per_node)
    highest = max(
        JMS_OFFSET,
        FIRST_JVB_OFFSET + spec.jvbs - 1,
        FIRST_VISITORS_OFFSET + visitors_nodes - 1 if visitors_nodes else 0,
    )
    last = min(spec.network.num_addresses - 2, 254)
    if highest > last:
        fields.note(
            "network",
            f"'{spec.network}' cannot hold the nodes: offset {highest} is needed, "
            f"{last} is the last.",
            "Take a /24, or put more vnodes on a node with visitors.per_node.",
        )
        return
    if re.fullmatch(r"[0-9.]+", spec.domain):
        jms = IPv4Address(spec.network[JMS_OFFSET])
        if spec.domain != str(jms):
            fields.note("domain", f"may be an address only if it is the JMS's, '{jms}'.")
