"""What one key of lab.conf is, and the values of all keys of a spec, with their origins."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labctl.core.errors import UsageError
from labctl.spec.origin import Origin, Origins
from labctl.spec.readers import normal
from labctl.spec.reference import bounds_text, default_by_role, default_text
from labctl.topology.keys import Declared, Key, KeyGroup, PerRole, declared, plain
from labctl.topology.roles import rows
from labctl.topology.spec import VERSIONS_FILE, Packages, Role, Spec


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """One key of lab.conf in words, as its declaration has it."""

    key: str
    help: str
    bounds: str = ""
    default: str = ""
    flag: str = ""
    metavar: str = ""
    short: str = ""
    """Another name, which may be used without the object around the key."""


@dataclass(frozen=True, slots=True)
class KeyValue:
    """The value that a key has in a spec, and where it comes from."""

    key: str
    value: Any
    origin: Origin


def all_keys() -> tuple[KeyFacts, ...]:
    """Every key of lab.conf, in the order of the declarations."""
    return tuple(_keys())


def explain_key(name: str) -> KeyFacts:
    """The facts about a key.  Errors: UsageError that names the nearest key."""
    wanted = normal(name)
    known = all_keys()
    for facts in known:
        if wanted in (facts.key, facts.short):
            return facts
    names = [it.key for it in known] + [it.short for it in known if it.short]
    leaves = {it.key.rpartition(".")[2]: it.key for it in reversed(known)}
    near = difflib.get_close_matches(wanted, [*names, *leaves], n=1, cutoff=0.5)
    meant = f" Did you mean '{leaves.get(near[0], near[0])}'?" if near else ""
    raise UsageError(
        f"There is no key '{name}'.{meant}", hint="'labctl config explain' lists all keys."
    )


def value_text(value: Any) -> str:
    """A value as lab.conf has it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{name} = {value_text(item)}" for name, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_text, value))}]"
    text = "" if value is None else str(value)
    return text if not set(text) & set('#:/="{}[],+\\$ ') else f'"{text}"'


def resolved_values(spec: Spec, origins: Origins) -> tuple[KeyValue, ...]:
    """Every key with the value that it has in the spec, and where that comes from."""
    return tuple(KeyValue(path, plain(value), origins.find(path)) for path, value in _values(spec))


def _values(spec: Spec) -> Iterator[tuple[str, Any]]:
    for each in declared(Spec):
        value = getattr(spec, each.attribute)
        match each.key.kind:
            case KeyGroup(of):
                for inner in declared(of):
                    yield f"{each.key.path}.{inner.key.name}", getattr(value, inner.attribute)
            case PerRole(_, of):
                for row in rows():
                    size = value.get(Role(row.role), row.small if spec.small else row.size)
                    for inner in declared(of):
                        path = f"{each.key.path}.{row.role}.{inner.key.name}"
                        yield path, getattr(size, inner.attribute)
            case _:
                yield each.key.path, value


def _keys() -> Iterator[KeyFacts]:
    for each in declared(Spec):
        match each.key.kind:
            case KeyGroup(of):
                yield _facts(each)
                yield from (_facts(inner, prefix=f"{each.key.path}.") for inner in declared(of))
                if of is Packages:
                    yield _facts(Declared("", VERSIONS_FILE, None), prefix=f"{each.key.path}.")
            case PerRole(_, of):
                for row in rows():
                    prefix = f"{each.key.path}.{row.role}."
                    yield from (
                        _facts(inner, prefix=prefix, default=default_by_role(inner, row))
                        for inner in declared(of)
                    )
            case _:
                yield _facts(each)


def _facts(each: Declared, *, prefix: str = "", default: str | None = None) -> KeyFacts:
    key: Key = each.key
    shown = default_text(each) if default is None else default
    return KeyFacts(
        key=f"{prefix}{key.path}",
        help=_text(key.help),
        bounds=_text(bounds_text(key.kind)),
        default=_text(shown),
        flag=f"--{key.flag}" if key.flag else "",
        metavar=key.metavar,
        short=key.top if key.bare else "",
    )


def _text(markdown: str) -> str:
    return markdown.replace("`", "")
