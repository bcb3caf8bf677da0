"""How a key of lab.conf is declared: its place, type, bounds, default and help, all in one value.

A key is a field in `labctl.topology.spec` that `declare` makes.  Everything else is derived from
it: how lab.conf is read and checked (`labctl.spec`), the flag (`labctl.cli.flags`), shell
completion, the tables of docs/lab-conf.md, and how the value is written to topology.json.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Any, TypeVar, assert_never

T = TypeVar("T")

AUTO = "auto"
AUTO_NETWORK = IPv4Network("0.0.0.0/32")
"""The value of a network that is `auto`: no lab can have it, so `up` chooses one first."""


@dataclass(frozen=True, slots=True)
class WholeNumber:
    """A whole number within bounds, both included."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class OnOff:
    """on or off."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One word of a closed set."""

    words: type[StrEnum]


@dataclass(frozen=True, slots=True)
class LabName:
    """A lab's name: it becomes a folder and a part of machine names."""


@dataclass(frozen=True, slots=True)
class DomainName:
    """The conference domain: a host name, or the JMS's address."""


@dataclass(frozen=True, slots=True)
class Cidr:
    """A private IPv4 network such as 192.168.56.0/24, or `auto`."""


@dataclass(frozen=True, slots=True)
class Text:
    """Any text, or text of a certain `form`."""

    form: str = ""


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of texts."""


@dataclass(frozen=True, slots=True)
class Versions:
    """An object of package names and their Debian versions."""


@dataclass(frozen=True, slots=True)
class Memory:
    """An amount of memory: MiB as a number, or text such as '2 GiB'."""


@dataclass(frozen=True, slots=True)
class DebianRelease:
    """A Debian release of which there is data (`labctl.topology.releases`)."""


@dataclass(frozen=True, slots=True)
class HostList:
    """A list of machines (`labctl.topology.hosts`)."""


@dataclass(frozen=True, slots=True)
class Placement:
    """An object of nodes or roles, and the machine of each."""


@dataclass(frozen=True, slots=True)
class KeyGroup:
    """An object of keys, which are the fields of a dataclass of their own."""

    of: type


@dataclass(frozen=True, slots=True)
class PerRole:
    """An object with a group of keys for each role; the fields of `of`, by the words of `role`."""

    role: type[StrEnum]
    of: type


KeyType = (
    WholeNumber | OnOff | Choice | LabName | DomainName | Cidr | Text | Texts | Versions | Memory
    | DebianRelease | HostList | Placement | KeyGroup | PerRole
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Key:
    """A key of lab.conf.

    `path` has a dot if the key is inside an object.  A `bare` key may also be given by the object's
    name alone (`visitors = 8`).  `flag` is the name of its flag, None if it has none; `metavar`
    represents the value in help texts.  `help` is a sentence for the flag and the docs, `more` is
    for the docs only, and `default` describes a default whose value alone would not explain it.
    """

    path: str
    kind: KeyType
    help: str
    flag: str | None = None
    metavar: str = ""
    bare: bool = False
    more: str = ""
    default: str | None = None

    @property
    def top(self) -> str:
        """The name of the key, or of its object, at the top level of lab.conf."""
        return self.path.partition(".")[0]

    @property
    def name(self) -> str:
        """The key's name in its object."""
        return self.path.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Declared:
    """A key together with the attribute that holds its value and the attribute's default."""

    attribute: str
    key: Key
    default: Any


def declare(default: Any, key: Key) -> Any:
    """A dataclass field that is a key; a callable `default` makes a new value each time."""
    metadata = {"key": key}
    if callable(default) and not isinstance(default, StrEnum):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def declared(of: type) -> Iterator[Declared]:
    """The keys that a dataclass declares, in order."""
    for each in fields(of):
        if "key" in each.metadata:
            yield Declared(each.name, each.metadata["key"], _default(each))


def _default(each: Field[Any]) -> Any:
    if callable(each.default_factory):
        factory: Callable[[], Any] = each.default_factory
        return factory()
    return each.default


def plain(value: Any) -> Any:
    """A key's value as JSON can hold it."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if value == AUTO_NETWORK:
        return AUTO
    return value if isinstance(value, bool | int | float | None) else str(value)


def revive(of: type[T], data: Mapping[str, Any]) -> T:
    """The value of a dataclass of keys that `plain` wrote.

    Missing attributes keep their defaults.  Errors: ValueError for a value that cannot be read.
    """
    found = {
        each.attribute: _revived(each.key.kind, data[each.attribute])
        for each in declared(of)
        if each.attribute in data
    }
    return of(**found)


def _revived(kind: KeyType, value: Any) -> Any:
    match kind:
        case Choice(words):
            return words(value)
        case Cidr():
            return AUTO_NETWORK if value == AUTO else IPv4Network(value)
        case Texts() | HostList():
            return tuple(value)
        case KeyGroup(of):
            return revive(of, value)
        case PerRole(role, of):
            return {role(name): revive(of, item) for name, item in value.items()}
        case (
            WholeNumber() | OnOff() | LabName() | DomainName() | Text() | Versions() | Memory()
            | DebianRelease() | Placement()
        ):  # fmt: skip
            return value
        case _:
            assert_never(kind)
