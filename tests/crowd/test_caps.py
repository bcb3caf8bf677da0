"""What a participant says it can do, and the hash that it announces of that."""

from __future__ import annotations

from labctl.crowd.caps import NODE, Caps, verification
from labctl.crowd.xml import CAPS, DISCO_INFO, parse_stanza


def test_what_is_told_to_disco_info_has_the_announced_hash() -> None:
    """Or the server asks every participant again (XEP-0115, 5.4)."""
    caps = Caps.of(["urn:b", "urn:a"])
    announced = parse_stanza(caps.element)
    assert announced.tag == f"{{{CAPS}}}c"
    assert announced.attrib == {"hash": "sha-1", "node": NODE, "ver": caps.ver}
    told = parse_stanza(caps.render_disco_info(f"{NODE}#{caps.ver}"))
    assert (told.tag, told.get("node")) == (f"{{{DISCO_INFO}}}query", f"{NODE}#{caps.ver}")
    identity, *features = told
    assert identity.tag == f"{{{DISCO_INFO}}}identity"
    assert identity.attrib == {
        "category": "client", "type": "web", "name": "labctl crowd",
    }  # fmt: skip
    assert [feature.tag for feature in features] == [f"{{{DISCO_INFO}}}feature"] * 2
    names = [feature.get("var", "") for feature in features]
    assert names == ["urn:a", "urn:b"]
    kind = (identity.get("category", ""), identity.get("type", ""), "", identity.get("name", ""))
    assert verification([kind], names) == caps.ver


def test_the_node_is_left_out_if_nobody_asked_for_one() -> None:
    assert parse_stanza(Caps.of(["urn:a"]).render_disco_info(None)).get("node") is None


def test_the_order_of_identities_does_not_matter() -> None:
    one, other = ("client", "pc", "en", "Psi"), ("client", "pc", "el", "Psi")
    assert verification([one, other], []) == verification([other, one], [])
