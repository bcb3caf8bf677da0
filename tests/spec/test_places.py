"""The lines of keys, in whatever way HOCON lets people write them."""

from __future__ import annotations

import pytest

from labctl.spec.hocon import parse_hocon
from labctl.spec.places import key_lines

WHOLE = """\
# jvbs = 9
lab = demo   // visitors = 3
domain : "a.b = c"

visitors { count = 12, per_node = 6 } # { x = 1
packages {
  source = debs
  files = [ "a.deb", { not = a key }, b.deb ]
  versions { "jicofo" = 1.0-1-1
    jitsi-meet = ${lab}
  }
}
roles.jvb.memory = 2 GiB
roles = {
  jms { memory = \"\"\"2
GiB\"\"\" }
}
jvbs = 1
jvbs = 2
"""


def test_every_way_to_write_a_key() -> None:
    assert key_lines(WHOLE) == {
        "lab": 2,
        "domain": 3,
        "visitors": 5,
        "visitors.count": 5,
        "visitors.per-node": 5,
        "packages": 6,
        "packages.source": 7,
        "packages.files": 8,
        "packages.versions": 9,
        "packages.versions.jicofo": 9,
        "packages.versions.jitsi-meet": 10,
        "roles.jvb.memory": 13,
        "roles": 14,
        "roles.jms": 15,
        "roles.jms.memory": 15,
        "jvbs": 19,
    }


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("{ jvbs = 1\n  lab = x }", {"jvbs": 1, "lab": 2}),
        ('include "other.conf"\njvbs = 1', {"jvbs": 2}),
        ("packages\n{\n source = auto }", {"packages": 1, "packages.source": 3}),
        ("jvbs =\n\n 3\nlab = x", {"jvbs": 1, "lab": 4}),
        ("a += 1\nb=2,c=3", {"a": 1, "b": 2, "c": 2}),
        ("}}\njvbs = 1", {"jvbs": 2}),
        ('"jvbs" = "1', {"jvbs": 1}),
        ('roles."jvb".memory = 1', {"roles.jvb.memory": 1}),
        ("a { b = { c = 1 }\n d = 2 }", {"a": 1, "a.b": 1, "a.b.c": 1, "a.d": 2}),
        ("a { }\nb\n{ c = 1 }", {"a": 1, "b": 2, "b.c": 3}),
        ("a = [ { b = 1 }\n c ]\nd = 1", {"a": 1, "d": 3}),
        ("a = ${b}\nc = 1", {"a": 1, "c": 2}),
        ("a = b = c\nd = 1", {"a": 1, "d": 2}),
        ("a\nb\nc = 1", {"c": 3}),
        ("a, b\n{ c = 1 }", {"b": 1, "b.c": 2}),
        ("[ { a = 1 } ]\nb = 1", {"b": 2}),
        ("", {}),
    ],
    ids=[
        "in braces",
        "include",
        "brace below",
        "value below",
        "commas",
        "too many braces",
        "cut",
        "quoted part",
        "braces after a value",
        "empty braces",
        "list with an object",
        "substitution",
        "two signs",
        "no keys",
        "comma before a brace below",
        "list without a key",
        "empty",
    ],
)
def test_odd_files(text: str, lines: dict[str, int]) -> None:
    assert key_lines(text) == lines


def test_pyhocon_finds_the_same_keys() -> None:
    """The two readers must agree on what a key is, or lines would lie."""

    def paths(data: object, around: str = "") -> set[str]:
        if not isinstance(data, dict):
            return set()
        found = {f"{around}{name}".replace("_", "-") for name in data}
        return found.union(*(paths(item, f"{around}{name}.") for name, item in data.items()))

    found = paths(parse_hocon(WHOLE))
    assert found - {"roles.jvb"} == set(key_lines(WHOLE))
