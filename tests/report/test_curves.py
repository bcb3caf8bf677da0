"""Drawings of curves."""

from __future__ import annotations

import re

import pytest
from lxml import etree

from labctl.report.curves import Curve, draw_curves, figure, frame_of, runs_of

BUSY = Curve("jvb", [(0, 0.0), (2, 4.0), (4, 2.0), (20, 1.0)])
HOSTILE = Curve('<script>&"', [(0, -5.0)])


def drawn(*curves: Curve) -> etree._Element:
    text = draw_curves(curves, title="a <metric>", began=0, ended=20, gap=6)
    return etree.fromstring(text.encode())


def test_it_is_a_file_of_its_own() -> None:
    root = drawn(BUSY, HOSTILE)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    said = root.findtext("{*}desc")
    assert said == 'jvb: 0 to 4, last 1; <script>&": -5 to -5, last -5'
    assert root.find(".//{*}script") is None
    assert "http" not in re.sub("http://www.w3.org/2000/svg", "", etree.tostring(root).decode())


def test_a_line_is_broken_where_nothing_is_known() -> None:
    assert runs_of(BUSY, gap=6) == [[(0, 0.0), (2, 4.0), (4, 2.0)], [(20, 1.0)]]
    assert drawn(BUSY).find(".//{*}path").get("d").count("M") == 2


def test_every_figure_is_in_the_picture() -> None:
    frame = frame_of([BUSY, HOSTILE], began=0, ended=20)
    for at, value in [*BUSY.points, *HOSTILE.points]:
        assert 44 <= frame.x(at) <= 352
        assert 8 <= frame.y(value) <= 158


@pytest.mark.parametrize("points", [[], [(5, 0.0)], [(5, 7.0)], [(0, 3.0), (20, 3.0)]])
def test_flat_and_empty_curves_are_drawn(points: list[tuple[float, float]]) -> None:
    assert drawn(Curve("a", points)).find(".//{*}path") is not None


def test_curves_are_told_apart_without_colours() -> None:
    paths = drawn(Curve("a", [(0, 1), (2, 1)]), Curve("b", [(0, 2), (2, 2)])).findall(".//{*}path")
    assert len({path.get("stroke-dasharray") for path in paths}) == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.12346, "0.1235"), (9999, "9999"), (12345, "12.3k"), (2.5e7, "25M"), (-3, "-3")],
)
def test_figures(value: float, text: str) -> None:
    assert figure(value) == text
