"""What the tables and lists of the gate's page hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lxml import html

from labctl.gate.compare import judge_gate
from labctl.gate.contents import PackageContents
from labctl.gate.measures import Load, Resource, SlopeVerdict, Soak, Up
from labctl.gate.model import Gate, GateFinding, GateVerdict, LogTemplate, Severity
from labctl.gate.page import SHOWN_FINDINGS, SHOWN_PATHS, render_page
from tests.gate.sides import UPS, make_side, template
from tests.gate.test_resources import LEVEL, series
from tests.gate.test_soak import soak


def page_of(gate: Gate) -> html.HtmlElement:
    return html.fromstring(render_page(gate))


def rows_of(page: html.HtmlElement, caption: str) -> list[list[str]]:
    """The cells of each row of a table's body."""
    (table,) = (
        it for it in page.iter("table") if (it.findtext("caption") or "").startswith(caption)
    )
    return [[cell.text_content() for cell in row] for row in table.find("tbody").iter("tr")]


def texts(page: html.HtmlElement, path: str) -> list[str]:
    return [" ".join(each.text_content().split()) for each in page.xpath(path)]


def judged(*findings: GateFinding, word: GateVerdict = GateVerdict.FAIL, **more: bool) -> Gate:
    return Gate(word, "a reason", make_side(), None, findings, seconds=12.4, **more)


def finding(subject: str, severity: Severity = Severity.FAIL, area: str = "drills") -> GateFinding:
    return GateFinding(area, subject, severity, "it failed")


@pytest.mark.parametrize(
    ("word", "look"),
    [
        (GateVerdict.PASS, "passed"),
        (GateVerdict.FAIL, "failed"),
        (GateVerdict.NOT_JUDGED, "incomplete"),
    ],
)
def test_the_verdict_comes_first_in_its_colour(word: GateVerdict, look: str) -> None:
    page = page_of(judged(word=word))
    assert texts(page, "//h1") == [f"{word} a reason (12 s)"]
    assert page.xpath("//header/div/@class") == [f"verdict {look}"]


@pytest.mark.parametrize(
    ("severity", "strict", "named"),
    [
        (Severity.FAIL, False, True),
        (Severity.UNDECIDED, False, True),
        (Severity.ATTENTION, False, False),
        (Severity.ATTENTION, True, True),
        (Severity.INFO, True, False),
    ],
)
def test_the_first_screen_names_what_decided(severity: Severity, strict: bool, named: bool) -> None:
    page = page_of(judged(finding("failover", severity), strict=strict))
    why = ["drills: failover: it failed"] if named else []
    assert texts(page, "//ul[@class='why']/li") == why


@pytest.mark.parametrize(("count", "more"), [(4, []), (6, ["and 2 more, below"])])
def test_the_first_screen_names_four_groups_and_counts_the_others(
    count: int, more: list[str]
) -> None:
    page = page_of(judged(*(finding(f"drill-{n}") for n in range(count))))
    assert texts(page, "//ul[@class='why']/li") == [
        *(f"drills: drill-{n}: it failed" for n in range(4)),
        *more,
    ]


def test_findings_are_under_their_severity_and_area_with_their_number() -> None:
    page = page_of(
        judged(
            finding("test_a", area="tests"),
            finding("test_b", area="tests"),
            finding("failover"),
            finding("up", Severity.UNDECIDED, "timings"),
            finding("jicofo", Severity.ATTENTION, "logs"),
            finding("ready", Severity.INFO, "timings"),
        )
    )
    assert texts(page, "//section[h3]/*[self::h2 or self::h3]") == [
        "What decided (3)", "tests", "drills",
        "Could not be judged on this machine (1)", "timings",
        "To look at (1)", "logs",
        "To know (1)", "timings",
    ]  # fmt: skip


def test_a_large_group_is_cut_and_says_so() -> None:
    count = SHOWN_FINDINGS + 3
    page = page_of(judged(*(finding(f"test_{n}", area="tests") for n in range(count))))
    assert len(page.xpath("//details[@class='group']//li")) == SHOWN_FINDINGS
    assert texts(page, "//details[@class='group']/p") == ["and 3 more in gate.json"]


def contents(version: str, **files: str) -> PackageContents:
    return PackageContents(version, files=files)


def test_packages_stand_side_by_side_with_what_changed() -> None:
    new = {"jicofo": contents("2", a="1"), "same": contents("1"), "jitsi-meet": contents("2")}
    old = {"jicofo": contents("1", a="2"), "same": contents("1")}
    page = page_of(
        judge_gate(
            make_side(
                contents=new,
                packages={"jicofo": "2", "same": "1", "nginx": "1.26", "prosody": "13.1"},
                stand_ins=("jicofo",),
            ),
            make_side(
                "baseline",
                contents=old,
                packages={"jicofo": "1", "same": "1", "nginx": "1.26", "prosody": "13.0"},
            ),
        )
    )
    assert rows_of(page, "Packages: ") == [
        ["jicofo", "2 STAND-IN", "1", "files ~1"],
        ["jitsi-meet", "2", "-", "only in the candidate"],
        ["nginx", "1.26", "1.26", ""],
        ["prosody", "13.1", "13.0", "the version"],
        ["same", "1", "1", "nothing"],
    ]


def test_many_paths_are_cut_and_counted() -> None:
    files = {f"/f{n}": "1" for n in range(SHOWN_PATHS + 2)}
    page = page_of(
        judge_gate(
            make_side(contents={"p": PackageContents("2", files=files)}),
            make_side("baseline", contents={"p": PackageContents("1")}),
        )
    )
    assert len(page.xpath("//li/code[starts-with(text(), '/f')]")) == SHOWN_PATHS
    assert "and 2 more in gate.json" in texts(page, "//p[@class='soft']")


def test_timings_in_figures_with_their_verdict() -> None:
    ups, late = (tuple(Up({"ready": seconds}) for _ in range(3)) for seconds in (5.0, 9.0))
    page = page_of(judge_gate(make_side(ups=late), make_side("baseline", ups=ups)))
    assert rows_of(page, "Seconds: median") == [
        ["ready", "9.0 (9.0-9.0, 3 runs)", "5.0 (5.0-5.0, 3 runs)", "slower", "+4.0 +4.0 +4.0"]
    ]
    page = page_of(judge_gate(make_side(ups=late)))
    assert rows_of(page, "Seconds: median") == [["ready", "9.0 (9.0-9.0, 3 runs)", "", ""]]


def test_what_services_used_has_a_row_for_each_resource() -> None:
    page = page_of(judge_gate(make_side(resources=series(*LEVEL)), make_side("baseline")))
    assert rows_of(page, "Usually (in eight tenths") == [
        ["jvb: memory", "202 MB (197-208)", "-"],
        ["jvb: CPU", "7.0 s", "-"],
        ["jvb: threads", "40 (40-40)", "-"],
        ["jvb: descriptors", "100 (100-100)", "-"],
        ["jvb: log volume", "7 kB", "-"],
    ]


def test_growth_of_both_sides_and_a_dash_where_it_is_not_known() -> None:
    found = soak(100)
    threads = replace(
        found.slopes[0], resource=Resource.THREADS, per_hour=20.0, error=30.0,
        verdict=SlopeVerdict.UNCLEAR,
    )  # fmt: skip
    both = replace(found, slopes=(*found.slopes, threads))
    page = page_of(judge_gate(make_side(soak=both), make_side("baseline", soak=found)))
    assert rows_of(page, "Slope, and how sure") == [
        ["jvb: memory", "+100 ± 5 MB/h, grows", "+100 ± 5 MB/h, grows"],
        ["jvb: threads", "+20 ± 30/h, could not tell", "-"],
    ]


@pytest.mark.parametrize(
    ("verdict", "advice"), [(SlopeVerdict.UNCLEAR, 1), (SlopeVerdict.GROWS, 0)]
)
def test_a_longer_run_is_advised_where_it_helps(verdict: SlopeVerdict, advice: int) -> None:
    found: Soak = soak(100)
    found = replace(found, slopes=(replace(found.slopes[0], verdict=verdict),))
    page = page_of(judge_gate(make_side(soak=found)))
    assert len(page.xpath("//p[contains(., 'a longer run says more')]")) == advice


def test_loads_of_each_run_and_how_they_were_measured() -> None:
    measured = Load(20.0, 2, 0.25, 0.1, pressure=0.4)
    ups = (replace(UPS[0], load=measured), replace(UPS[1], load=None))
    other = (replace(UPS[0], load=Load(20.0, 2, 0.5, measured=False)),)
    page = page_of(judge_gate(make_side(ups=ups), make_side("baseline", ups=other)))
    assert rows_of(page, "What others used") == [
        ["processors lost to others", "35%-35%", "50%-50%"],
        [
            "run 1",
            "others 25%, steal 10%, pressure 40%",
            "others 50% (by the load average), steal 0%",
        ],
        ["run 2", "-", "-"],
    ]


def test_known_lines_of_the_candidate_are_listed_and_others_are_not() -> None:
    known: LogTemplate = replace(template("boom <n>"), reason="a drill does this")
    page = page_of(judge_gate(make_side(logs=(known, template("other")))))
    (table,) = (it for it in page.iter("table") if "why they may be there" in it.text_content())
    assert [cell.text_content() for cell in table.find("tbody").iter("td")] == [
        "jicofo", "3", "a drill does this", "boom 7",
    ]  # fmt: skip
