"""Filters in words are made of the lab's connections."""

from __future__ import annotations

import pytest

from labctl.capture.words import parse_words, render_filter
from labctl.core.errors import UsageError
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.units import Talk

TOPOLOGY = resolve(Spec(jvbs=1, visitors=9, relays=True))


@pytest.mark.parametrize(
    ("node", "words", "expected"),
    [
        ("jms", [], "not tcp port 22"),
        ("jms", ["brewery"], "tcp port 5222"),
        ("jvb1", ["brewery"], "tcp port 5222"),
        ("jvb1", ["media", "brewery"], "tcp port 5222 or udp port 10000"),
        ("jms", ["https"], "tcp port 80 or tcp port 443"),
        ("jms", ["s2s"], "tcp port 5269 or tcp portrange 52691-52699"),
        ("visitors2", ["s2s"], "tcp port 5269 or tcp port 52699"),
        ("visitors2", ["focus"], "tcp port 52229"),
        ("jvb1", ["channel"], "tcp port 9090"),
    ],
)
def test_the_ports_of_a_word(node: str, words: list[str], expected: str) -> None:
    assert render_filter(TOPOLOGY, TOPOLOGY.node(node), parse_words(words)) == expected


def test_a_word_that_is_not_seen_on_a_node_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"of s2s are seen on node 'jvb1'") as caught:
        render_filter(TOPOLOGY, TOPOLOGY.node("jvb1"), [Talk.S2S])
    assert "It has brewery, media, relay, channel;" in (caught.value.hint or "")


def test_an_unknown_word_is_answered_with_all() -> None:
    with pytest.raises(UsageError, match="There is no filter 'xmpp'") as caught:
        parse_words(["brewery", "xmpp"])
    assert (caught.value.hint or "").endswith(
        "https, brewery, focus, s2s, http, media, relay, channel, turn, metrics."
    )
