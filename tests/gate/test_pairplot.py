"""The drawing of pairs: where things are, and what they say."""

from __future__ import annotations

from math import log
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from labctl.gate.certainty import Pair, TimingVerdict
from labctl.gate.pairplot import draw_pairs
from labctl.gate.timing import Timing

SLOWER, SAME = TimingVerdict.SLOWER, TimingVerdict.SAME


def timing(
    *pairs: tuple[float, float] | Pair,
    name: str = "ready",
    verdict: TimingVerdict = SLOWER,
) -> Timing:
    found = tuple(each if isinstance(each, Pair) else Pair(*each) for each in pairs)
    return Timing(name, tuple(pair.candidate for pair in found), found, verdict)


def draw(*timings: Timing) -> Element:
    return ElementTree.fromstring(draw_pairs(timings))


def place(ratio: float) -> float:
    """Half and twice as much are six units from the edges of the 360."""
    return round(6 + 348 * log(ratio / 0.5) / log(4), 1)


def numbers(element: Element, *names: str) -> tuple[float, ...]:
    return tuple(float(element.get(name, "nan")) for name in names)


def of_class(root: Element, name: str) -> list[Element]:
    return [each for each in root.iter() if each.get("class") == name]


def test_there_is_nothing_to_draw_without_pairs() -> None:
    assert draw_pairs([]) == ""
    assert draw_pairs([timing()]) == ""
    assert draw_pairs([timing((1.0, 0.0))]) == ""


def test_a_figure_without_pairs_is_left_out() -> None:
    root = draw(timing(name="none"), timing((9.0, 5.0)), timing((1.0, 0.0), name="nothing"))
    assert root.findtext("desc") == "ready: 5.0 → 9.0 s, slower"


def test_the_axis_has_its_ticks_and_the_band_what_does_not_matter() -> None:
    root = draw(timing((9.0, 5.0), (8.0, 5.0)), timing((1.0, 1.0), verdict=SAME))
    bottom = 2 + (13 + 5 * 2 + 5) + (13 + 5 * 1 + 5)
    assert root.get("viewBox") == f"0 0 360 {bottom + 16}"
    ticks = {0.5: "start", 0.75: "middle", 1.0: "middle", 1.5: "middle", 2.0: "end"}
    lines = [numbers(each, "x1", "y1", "x2", "y2") for each in of_class(root, "grid")]
    assert lines == [(place(tick), 2, place(tick), bottom) for tick in ticks]
    axis = of_class(root, "axis")
    assert [each.text for each in axis] == ["0.5x", "0.75x", "1x", "1.5x", "2x"]
    assert [each.get("text-anchor") for each in axis] == list(ticks.values())
    assert [numbers(each, "x", "y") for each in axis] == [
        (x, bottom + 11) for x in (0, place(0.75), place(1.0), place(1.5), 360)
    ]
    (band,) = of_class(root, "band")
    assert band.tag == "rect"
    left, right = place(0.8), place(1.25)
    assert numbers(band, "x", "y", "height") == (left, 2, bottom - 2)
    assert float(band.get("width", 0)) == pytest.approx(right - left, abs=0.11)


def test_each_pair_is_two_dots_and_a_line_below_the_figures_words() -> None:
    root = draw(timing((9.0, 5.0), (5.0, 6.0), (6.0, 4.0)), timing((1.0, 1.0), verdict=SAME))
    (first, second, third, other) = of_class(root, "pair")
    for number, (pair, new, old) in enumerate(
        ((first, 9.0, 5.0), (second, 5.0, 6.0), (third, 6.0, 4.0))
    ):
        y = 2 + 13 + 5 * number + 2.5
        was, now, wire = of_class(pair, "was"), of_class(pair, "dot"), of_class(pair, "wire")
        assert [each.tag for each in pair] == ["title", "line", "circle", "circle"]
        assert pair.tag == "g" and not any(each.tail for each in pair)
        assert numbers(was[0], "cx", "cy", "r") == (place(old / 5), y, 2.6)
        assert numbers(now[0], "cx", "cy", "r") == (place(new / 5), y, 3.2)
        assert numbers(wire[0], "x1", "y1", "x2", "y2") == (place(old / 5), y, place(new / 5), y)
        said = f"candidate {new:g} s, baseline {old:g} s"
        assert [each.text for each in pair.iter("title")] == [said, said]
    assert numbers(of_class(other, "was")[0], "cy") == (2 + 13 + 15 + 5 + 13 + 2.5,)


def test_a_figure_is_named_with_its_medians_and_its_verdict() -> None:
    root = draw(timing((9.0, 5.0), (8.0, 5.0)), timing((0.615, 0.52), name="start", verdict=SAME))
    texts = [each for each in root.iter("text") if each.get("class") != "axis"]
    assert [(each.text, each.get("text-anchor"), *numbers(each, "x", "y")) for each in texts] == [
        ("ready", "start", 0, 12),
        ("5.0 → 8.5 s, slower", "end", 360, 12),
        ("start", "start", 0, 40),
        ("0.52 → 0.61 s, same", "end", 360, 40),
    ]
    title = "Timings of candidate and baseline, pair by pair"
    said = "ready: 5.0 → 8.5 s, slower; start: 0.52 → 0.61 s, same"
    assert (root.findtext("title"), root.findtext("desc")) == (title, said)


def test_one_second_on_either_side_has_one_digit() -> None:
    assert draw(timing((1.0, 0.5))).findtext("desc") == "ready: 0.5 → 1.0 s, slower"
    assert draw(timing((0.99, 0.5))).findtext("desc") == "ready: 0.50 → 0.99 s, slower"


@pytest.mark.parametrize(
    ("verdict", "look"),
    [
        (TimingVerdict.SLOWER, "broken"),
        (TimingVerdict.UNCLEAR, "unclear"),
        (TimingVerdict.FASTER, "better"),
        (TimingVerdict.SAME, "small"),
        (TimingVerdict.NOT_JUDGED, "small"),
    ],
)
def test_verdicts_have_colours(verdict: TimingVerdict, look: str) -> None:
    (text,) = of_class(draw(timing((9.0, 5.0), verdict=verdict)), look)
    assert (text.text or "").endswith(str(verdict))


def test_what_lies_beyond_the_axis_is_drawn_at_its_end() -> None:
    root = draw(timing((50.0, 5.0), (1.0, 5.0)))
    assert [numbers(each, "cx") for each in of_class(root, "dot")] == [(354,), (6,)]


def test_a_pair_that_does_not_count_is_faint_and_says_so() -> None:
    root = draw(timing((9.0, 5.0), Pair(8.0, 4.0, counts=False)))
    assert len(of_class(root, "pair")) == 1
    (faint,) = of_class(root, "pair faint")
    assert faint.findtext("title") == "candidate 8 s, baseline 4 s, does not count"


def test_a_long_name_leaves_room_for_the_figures() -> None:
    name = "CPU to start " + "x" * 60
    root = draw(timing((9.0, 5.0), name=name))
    texts = [each.text or "" for each in root.iter("text") if each.get("class") == "plain"]
    room = int((360 - 6.8 * len("5.0 → 9.0 s, slower")) / 6.8)
    assert texts == [name[: room - 1] + "…"]
