"""The verdict, and the page without a browser."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from labctl.report.drill import DrillVerdict, PersonRecord
from labctl.report.model import Report, ReportOutcome
from labctl.report.page import render_page
from labctl.report.topologysvg import broken_things, draw_topology
from labctl.report.verdict import judge_report, packages_kind, verdict_line
from labctl.topology.spec import Packages, PackageSource, VisitorsLayout
from tests.report.make import DRILL, report_of, run_of, status_of, test_of, topology

VOID = {"meta", "br", "wbr", "img"}


class Page(HTMLParser):
    """Checks nesting; keeps elements with their attributes and all text outside of styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


def page_of(report: Report) -> Page:
    return Page(render_page(report))


WORSE_DRILL = replace(DRILL, verdict=DrillVerdict.WORSE)


def real(report: Report) -> Report:
    """The same with Jitsi's own packages."""
    lab = topology()
    made = replace(lab, spec=replace(lab.spec, packages=Packages(PackageSource.JITSI)))
    return replace(report, topology=made, status=status_of(lab, stand_in=False))


@pytest.mark.parametrize(
    ("changes", "verdict", "line"),
    [
        ({}, "passed", "All 2 tests passed on lab 'demo' in 9 s, with STAND-INS, not Jitsi's"),
        ({"run": run_of(test_of(), chosen=3)}, "incomplete", "(2 did not run)"),
        ({"run": run_of(test_of(), exit_status=2)}, "incomplete", "1 tests ran, not all"),
        ({"run": run_of(exit_status=5)}, "incomplete", "0 tests ran"),
        (
            {"run": run_of(test_of(outcome=ReportOutcome.ERROR))},
            "failed",
            "1 of 1 tests failed",
        ),
        ({"run": run_of(test_of(), exit_status=1)}, "failed", "pytest says that tests failed"),
        (
            {"drills": (replace(DRILL, verdict=DrillVerdict.WORSE),)},
            "failed",
            "(1 drill worse than expected)",
        ),
        ({"drills": (replace(DRILL, left="no bridge"),)}, "failed", "the drills did not go well"),
        (
            {"run": run_of(test_of(), test_of("b", ReportOutcome.SKIPPED))},
            "passed",
            "(1 skipped)",
        ),
    ],
    ids=["all", "less", "interrupted", "none", "error", "status", "worse", "left", "skipped"],
)
def test_verdict(changes: dict[str, Any], verdict: str, line: str) -> None:
    report = report_of(test_of(), test_of("test_b"), **changes)
    assert str(judge_report(report)) == verdict
    assert line in verdict_line(report)
    assert verdict in page_of(report).words


def test_stand_ins_are_loud() -> None:
    assert "STAND-INS." in page_of(report_of()).words
    assert "STAND-INS." not in page_of(real(report_of())).words


@pytest.mark.parametrize("silent", [True, False])
def test_silent_nodes_are_never_called_real(silent: bool) -> None:
    report = real(report_of(test_of()))
    assert packages_kind(report) == "real"
    assert report.status is not None
    first, *others = report.status.nodes
    gone = replace(first, answers=not silent, packages={})
    unknown = replace(report, status=replace(report.status, nodes=(*others, gone)))
    assert packages_kind(unknown) == "unknown"
    assert "PACKAGES UNKNOWN." in page_of(unknown).words
    assert "packages unknown" in verdict_line(unknown)


def test_nothing_comes_from_outside() -> None:
    page = page_of(report_of())
    for tag, attributes in page.elements:
        assert tag not in ("script", "link", "img", "iframe", "object", "embed", "video"), tag
        for name, value in attributes.items():
            assert name != "src" and not name.startswith("on"), (tag, name)
            assert name != "href" or (value or "").startswith("#"), value
    text = render_page(report_of())
    assert not re.search(r"@import|url\(|https?://", text)
    assert "default-src 'none'" in text


def test_links_within_the_page_lead_somewhere() -> None:
    page = page_of(report_of())
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    targets = {(a["href"] or "")[1:] for tag, a in page.elements if tag == "a"}
    assert len(targets) >= 4 and targets <= set(ids)


def test_everything_is_escaped() -> None:
    evil = "<script>alert(1)</script>\"'&"
    bad = test_of(f"test_{evil}", ReportOutcome.FAILED, message=evil, detail=f"{evil}.", doc=evil)
    drill = replace(DRILL, title=evil, people=(PersonRecord(evil, evil),))
    report = report_of(bad, notes=(evil,), drills=(drill,))
    assert report.status is not None
    status = replace(report.status, missing={evil: evil})
    text = render_page(replace(report, status=status))
    assert "<script" not in text
    assert "".join(Page(text).words).count("alert(1)") >= 6


def test_failure_shows_log_lines_of_all_nodes() -> None:
    words = "".join(page_of(report_of()).words)
    for wanted in ("it is <inactive>", "Stopped prosody-v@1.service", "14:18:01.300", "<b>&"):
        assert wanted in words
    assert "When this fails, visitors see nobody." in words


def test_every_drawing_is_well_formed_and_has_words() -> None:
    drawings = re.findall(r"<svg.*?</svg>", render_page(report_of()), re.DOTALL)
    assert len(drawings) >= 5
    for text in drawings:
        svg = ElementTree.fromstring(text)
        assert svg.get("role") == "img" and (svg.findtext("title") or "") in svg.get(
            "aria-label", ""
        )
        assert len(svg.findtext("desc") or "") > 10


@pytest.mark.parametrize("layout", list(VisitorsLayout))
def test_topology_has_everything(layout: VisitorsLayout) -> None:
    lab = topology(visitors_layout=layout)
    svg = ElementTree.fromstring(draw_topology(lab, status=status_of(lab, broken=True)))
    words = {element.text for element in svg.iter("text")}
    assert {str(node.address) for node in lab.nodes} <= words
    assert {vnode.name for vnode in lab.vnodes if vnode.index > 1} | {"v1 ✕"} <= words
    width, height = (float(size) for size in svg.get("viewBox", "").split()[2:])
    for box in svg.iter("rect"):
        x, y, w, h = (float(box.get(name, "0")) for name in ("x", "y", "width", "height"))
        assert x >= 0 and x + w <= width and y + h <= height


def test_large_lab_is_drawn() -> None:
    from labctl.topology.layout import resolve
    from labctl.topology.spec import Spec

    lab = resolve(Spec(jvbs=50, visitors=64, packages=Packages(source=PackageSource.JITSI)))
    assert len(re.findall(r">jvb\d+<", draw_topology(lab, status=None))) == 50


def test_what_is_broken() -> None:
    lab = topology()
    status = status_of(lab, broken=True)
    jms, *nodes = status.nodes
    own, jvb1, *bridges = status.bridges
    status = replace(
        status,
        nodes=(replace(jms, answers=False), *nodes),
        bridges=(own, replace(jvb1, operational=False), *bridges),
    )
    assert broken_things(status) == {"jms", "bridge jvb1", "v1"}
    assert broken_things(None) == frozenset()
