"""Pictures as Mermaid, SVG and text: well-formed, complete, nothing from outside."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from labctl.graph import Picture, make_picture
from labctl.graph.health import State
from labctl.graph.layout import lay_out
from labctl.graph.mermaid import render_mermaid
from labctl.graph.svg import DARK, LIGHT, render_svg
from labctl.graph.text import render_text
from labctl.lab.status import read_status
from labctl.report.status import VNodeStatus
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec, VisitorsLayout
from labctl.topology.units import TALKS, Talk

SPECS = {
    "small": Spec(jvbs=1, visitors=1),
    "default": Spec(),
    "alone": Spec(jvbs=0, visitors=0),
    "local": Spec(jvbs=1, visitors=10, visitors_layout=VisitorsLayout.LOCAL),
    "large": Spec(jvbs=50, visitors=64, relays=True, turn=True),
}
SVG = "{http://www.w3.org/2000/svg}"

# What of Mermaid's grammar is used here, a line each.
WORD = r"[a-z][a-z0-9_]*"
TEXT = r'"(?:[^"<]|#quot;)*"'
LINES = re.compile(
    rf"{WORD}\(\[{TEXT}\]\)|subgraph {WORD} \[{TEXT}\]|{WORD}\[{TEXT}\]|end"
    rf"|{WORD} (?:-->|-\.->)\|{TEXT}\| {WORD}|%% .*"
    rf"|classDef {WORD} [a-z0-9#:,-]+|class {WORD}(?:,{WORD})* {WORD}"
)


def broken(lab: Lab) -> Picture:
    """The small lab in which a vnode is not registered."""
    status = read_status(lab)
    vnodes: tuple[VNodeStatus, ...] = (replace(status.vnodes[0], registered=False),)
    return make_picture(lab.topology, status=replace(status, vnodes=(*vnodes, status.vnodes[1])))


@pytest.fixture(params=SPECS)
def picture(request: pytest.FixtureRequest) -> Picture:
    return make_picture(resolve(SPECS[request.param]))


def test_mermaid_has_every_box_part_and_arrow(picture: Picture) -> None:
    head, title, end, kind, *lines = render_mermaid(picture).splitlines()
    assert (head, end, kind) == ("---", "---", "flowchart LR")
    assert title.startswith("title: \"Lab 'default'")
    assert [line for line in lines if not LINES.fullmatch(line.strip())] == []
    defined = re.findall(rf"(?m)^ +({WORD})(?:\[|\(\[)", "\n".join(lines))
    assert len(defined) == len(set(defined)) == 1 + sum(len(box.parts) for box in picture.boxes)
    arrows = re.findall(rf"({WORD}) (?:-->|-\.->)\|{TEXT}\| ({WORD})", "\n".join(lines))
    assert len(arrows) == len(picture.arrows)
    assert {name for arrow in arrows for name in arrow} <= set(defined)
    assert [line for line in lines if line.strip() == "end"] == ["  end"] * len(picture.boxes)


def test_mermaid_shows_what_does_not_work(lab: Lab) -> None:
    text = render_mermaid(broken(lab))
    assert 'node_visitors1_prosody_v["Prosody v1-2 ✕ v1 not registered in Jicofo"]' in text
    assert "class node_visitors1,node_visitors1_prosody_v bad" in text
    assert "classDef good " in text


def test_a_text_cannot_break_mermaid() -> None:
    picture = replace(make_picture(resolve(SPECS["alone"])), title='Lab "x" <script> & more')
    assert 'title: "Lab #quot;x#quot; &lt;script> &amp; more: ' in render_mermaid(picture)


def test_svg_is_one_file_that_follows_the_readers_colours(picture: Picture) -> None:
    text = render_svg(picture)
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|url\(|@import|<script|href=", text)
    assert "@media (prefers-color-scheme:dark)" in text
    words = [element.text or "" for element in root.iter(f"{SVG}text")]
    for box in picture.boxes:
        assert box.title in words
        assert box.address in words
        for part in box.parts:
            assert part.title in words
            assert all(socket.ports in words for socket in part.sockets)
    assert all(TALKS[talk] in words for talk in picture.talks)


def test_nothing_of_an_svg_is_outside_or_covers_something(picture: Picture) -> None:
    layout = lay_out(picture)
    for place in layout.places:
        assert place.x >= 0
        assert place.x + place.width <= layout.width
        assert place.y + place.height <= layout.height
        others = [other for other in layout.places if other is not place]
        assert not [
            other
            for other in others
            if other.x < place.x + place.width
            and place.x < other.x + other.width
            and other.y < place.y + place.height
            and place.y < other.y + other.height
        ]
        assert not [lane for lane in layout.lanes if place.x < lane.x < place.x + place.width]
    assert len({lane.x for lane in layout.lanes}) == len(layout.lanes)


def test_a_large_lab_fits_on_a_screen() -> None:
    layout = lay_out(make_picture(resolve(SPECS["large"])))
    assert layout.width < 1200
    assert layout.height < 800


def test_every_word_has_a_colour_in_both_schemes() -> None:
    assert set(LIGHT) == set(DARK) == set(Talk)
    assert len(set(LIGHT.values())) == len(set(DARK.values())) == len(Talk)


def test_an_svg_says_in_words_what_does_not_work(lab: Lab) -> None:
    root = ElementTree.fromstring(render_svg(broken(lab)))
    described = root.findtext(f"{SVG}desc") or ""
    assert described.endswith("Not working: v1 not registered in Jicofo.")
    boxes = [element.get("class") for element in root.iter(f"{SVG}rect")]
    assert boxes == ["paper", "node", "node good", "node good", "node bad"]


def test_text_says_who_opens_what() -> None:
    text = render_text(make_picture(resolve(SPECS["small"])))
    assert "    <- 5222/tcp           brewery, focus   from bridge 'jvb', jvb1 bridge 'jvb1', Jicofo" in text  # fmt: skip  # noqa: E501
    assert "    -> 52691/tcp          s2s              to visitors1 Prosody v1\n" in text
    assert text.endswith("\nlabctl reaches every node by ssh, 22/tcp.\n")


def test_text_has_words_besides_colours(lab: Lab) -> None:
    painted: list[tuple[str, State]] = []

    def paint(words: str, state: State) -> str:
        painted.append((words, state))
        return words

    text = render_text(broken(lab), paint=paint)
    assert "\nvisitors1  192.168.56.201  NOT\n" in text
    assert ("NOT (v1 not registered in Jicofo)", State.BAD) in painted
    assert ("ok", State.GOOD) in painted
