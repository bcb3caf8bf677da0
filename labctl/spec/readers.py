"""Checked readers: each reads one field of plain data and notes a problem if it is wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from typing import Any, TypeVar, assert_never

from labctl.core.errors import Problem
from labctl.topology.keys import (
    AUTO,
    AUTO_NETWORK,
    Choice,
    Cidr,
    DebianRelease,
    DomainName,
    HostList,
    KeyGroup,
    KeyType,
    LabName,
    Memory,
    OnOff,
    PerRole,
    Placement,
    Text,
    Texts,
    Versions,
    WholeNumber,
)
from labctl.topology.model import VNODE_DOMAIN
from labctl.topology.releases import known_releases
from labctl.topology.workdir import LAB_NAME, LAB_NAME_WORDS, RESERVED_NAMES

E = TypeVar("E", bound=StrEnum)

MOST_NAME = 253 - len("internal.auth.")

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"^{_LABEL}(\.{_LABEL})+\Z")
# As Docker, Vagrant, Java and people write them: 2048m, 2g, 2 GiB, 2Gi, 2,5 GB.
_SIZE = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:([kmgt])i?(?:b|bytes?)?)?", re.IGNORECASE)
_MIB = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024**2}
MOST_MIB = 4 * 1024**2
"""More is not meant: such as bytes without a unit."""


def normal(key: str) -> str:
    """Keys may be written with dashes or underscores."""
    return key.replace("_", "-")


@dataclass(slots=True)
class Fields:
    """One object of the spec while it is being read: values by normal key, and its key path."""

    values: Mapping[str, Any]
    problems: list[Problem]
    path: str = ""

    @classmethod
    def of(cls, data: Mapping[str, Any], problems: list[Problem], path: str = "") -> Fields:
        return cls({normal(key): value for key, value in data.items()}, problems, path)

    def key(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def note(self, name: str, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(self.key(name), message, hint))

    def get(self, name: str) -> Any:
        return self.values.get(name)

    def refuse_unknown(self, known: Sequence[str]) -> None:
        """Note unknown keys as problems, with the nearest known key as a hint."""
        for name in self.values:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
                hint = (
                    f"Did you mean '{self.key(near[0])}'?"
                    if near
                    else f"Known keys: {', '.join(self.key(key) for key in known)}."
                )
                self.note(name, "is not a key.", hint)


def want(fields: Fields, name: str, kind: KeyType, default: Any) -> Any:
    """The value of a key, read as its declaration says; `default` if it is not given."""
    match kind:
        case WholeNumber(least, most):
            return want_int(fields, name, default, least=least, most=most)
        case OnOff():
            return want_bool(fields, name, default=default)
        case Choice():
            return want_choice(fields, name, default)
        case LabName():
            return want_name(fields, name, default)
        case DomainName():
            return want_domain(fields, name, default)
        case Cidr():
            return want_network(fields, name, default)
        case Memory():
            return want_mib(fields, name, default, least=1)
        case DebianRelease():
            return want_release(fields, name, default)
        case Text():
            return want_text(fields, name, default)
        case Texts() | Versions() | HostList() | Placement() | KeyGroup() | PerRole():
            raise TypeError(f"{fields.key(name)} has a reader of its own")
        case _:
            assert_never(kind)


def want_int(fields: Fields, name: str, default: int, *, least: int, most: int) -> int:
    """A whole number within bounds (both included)."""
    value = fields.get(name)
    if value is None:
        return default
    number = value if isinstance(value, int) and not isinstance(value, bool) else None
    if isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        number = int(value)
    if number is None:
        fields.note(name, f"must be a whole number from {least} to {most}, got {value!r}.")
        return default
    if not least <= number <= most:
        fields.note(name, f"must be from {least} to {most}, got {number}.")
        return default
    return number


def want_bool(fields: Fields, name: str, *, default: bool) -> bool:
    """on/off, yes/no or true/false."""
    value = fields.get(name)
    if value is None:
        return default
    words = {
        "on": True,
        "yes": True,
        "true": True,
        "off": False,
        "no": False,
        "false": False,
    }
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    fields.note(name, f"must be on or off, got {value!r}.")
    return default


def want_choice(fields: Fields, name: str, default: E) -> E:
    """One word of a closed set."""
    value = fields.get(name)
    if value is None:
        return default
    kind = type(default)
    words = [str(item) for item in kind]
    if value in words:
        return kind(value)
    near = difflib.get_close_matches(str(value), words, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else None
    fields.note(name, f"must be one of {', '.join(words)}, got {value!r}.", hint)
    return default


def want_name(fields: Fields, name: str, default: str) -> str:
    """A lab's name: it becomes a folder and a part of machine names."""
    value = fields.get(name)
    if value is None:
        return default
    if value in RESERVED_NAMES:
        fields.note(name, f"must not be {value!r}: labctl uses that name itself.")
        return default
    if isinstance(value, str) and LAB_NAME.fullmatch(value):
        return value
    fields.note(name, f"must be {LAB_NAME_WORDS}, got {value!r}.")
    return default


def want_domain(fields: Fields, name: str, default: str) -> str:
    """A conference domain, in lower case."""
    value = fields.get(name)
    if value is None:
        return default
    text = str(value).lower()
    if text == VNODE_DOMAIN or text.endswith(f".{VNODE_DOMAIN}"):
        fields.note(
            name,
            f"must not lie in '{VNODE_DOMAIN}', got {value!r}.",
            "That suffix belongs to the visitor Prosodies; Jitsi hard-codes it.",
        )
    elif not _DOMAIN.match(text) or len(text) > MOST_NAME:
        fields.note(name, f"must be a host name with a dot in it, got {value!r}.")
    else:
        return text
    return default


def want_network(fields: Fields, name: str, default: IPv4Network) -> IPv4Network:
    """A private IPv4 network such as 192.168.56.0/24; AUTO_NETWORK for 'auto'."""
    value = fields.get(name)
    if value is None:
        return default
    if value == AUTO:
        return AUTO_NETWORK
    try:
        network = IPv4Network(str(value))
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        fields.note(
            name,
            f"must be an IPv4 network such as '{default}' or '{AUTO}', got {value!r} ({error}).",
        )
        return default
    if not _is_rfc1918(network):
        fields.note(
            name,
            f"must lie in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16, got '{network}'.",
            "A lab uses private addresses only.",
        )
        return default
    return network


def want_release(fields: Fields, name: str, default: str) -> str:
    """A Debian release of which labctl has data, such as 13."""
    value = fields.get(name)
    if value is None:
        return default
    known = known_releases()
    if str(value) in known:
        return str(value)
    hint = "A release is a file of data in 'packer/debian/'."
    fields.note(name, f"must be one of {', '.join(known)}, got {value!r}.", hint)
    return default


def want_mib(fields: Fields, name: str, default: int, *, least: int) -> int:
    """An amount of memory in MiB: a number, or text such as '2 GiB'."""
    value = fields.get(name)
    if value is None:
        return default
    match = None if isinstance(value, bool) else _SIZE.fullmatch(str(value).strip())
    if match is None:
        fields.note(name, f"must be an amount such as 2048 or '2 GiB', got {value!r}.")
        return default
    mib = int(float(match[1].replace(",", ".")) * _MIB[(match[2] or "m").lower()])
    if mib > MOST_MIB:
        hint = "A number without a unit is MiB."
        fields.note(name, f"must be at most {MOST_MIB // 1024**2} TiB, got {value!r}.", hint)
        return default
    if mib < least:
        fields.note(name, f"must be at least {least} MiB, got {mib} MiB.")
        return default
    return mib


def want_object(fields: Fields, name: str) -> Fields:
    """A nested object; empty if it is absent."""
    value = fields.get(name)
    if value is not None and not isinstance(value, Mapping):
        fields.note(name, f"must be an object {{ ... }}, got {value!r}.")
        value = None
    return Fields.of(value or {}, fields.problems, fields.key(name))


def want_text(fields: Fields, name: str, default: str | None) -> str | None:
    """Any text that is not empty."""
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, str) and value.strip():
        return value
    fields.note(name, f"must be text, got {value!r}.")
    return default


def _is_rfc1918(network: IPv4Network) -> bool:
    blocks = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    return any(network.subnet_of(IPv4Network(block)) for block in blocks)
