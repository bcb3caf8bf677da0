"""One screen, the verdict first."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from labctl.gate.compare import judge_gate
from labctl.gate.contents import PackageContents
from labctl.gate.measures import Load, SlopeVerdict, Up
from labctl.gate.model import (
    Gate,
    GateCase,
    GateFinding,
    GateVerdict,
    MediaFigures,
    Severity,
    TriedIn,
    TriedPackage,
    Trouble,
)
from labctl.gate.page import render_page
from labctl.gate.report import (
    load_text,
    logs_text,
    parts_text,
    render_text,
    soak_text,
    version_text,
)
from labctl.gate.run import GatePlan, plan_sides, save_report
from tests.gate.sides import FAILED, PASSED, UPS, case, finding_storm, make_side, slower, template
from tests.gate.test_resources import LEVEL, series
from tests.gate.test_soak import soak


def test_verdict_says_that_there_are_stand_ins() -> None:
    gate = judge_gate(make_side(stand_ins=("jicofo",)))
    first = render_text(gate, folder=Path("/r")).splitlines()[0]
    assert first.startswith("PASS: everything passed")
    assert "STAND-INS" in first


def test_only_stand_ins_are_called_stand_ins() -> None:
    side = make_side(
        packages={"jicofo": "0~standin1", "jitsi-videobridge2": "2.3"}, stand_ins=("jicofo",)
    )
    assert version_text(side, "jicofo") == "0~standin1 STAND-IN"
    assert version_text(side, "jitsi-videobridge2") == "2.3"
    lines = render_text(judge_gate(side), folder=Path("/r")).splitlines()
    assert [line.split() for line in lines if line.startswith("  jicofo ")] == [
        ["jicofo", "0~standin1", "STAND-IN"]
    ]
    assert [line.split() for line in lines if line.startswith("  jitsi-videobridge2 ")] == [
        ["jitsi-videobridge2", "2.3"]
    ]


def test_one_screen_even_on_a_bad_day() -> None:
    failed = [case(f"test_{i}", FAILED, "x" * 500) for i in range(100)]
    tests = (*failed, case("test_ok"))
    gate = judge_gate(make_side(tests=tests), make_side("baseline"))
    lines = render_text(gate, folder=Path("/r")).splitlines()
    assert len(lines) < 40
    assert max(map(len, lines)) <= 110
    assert lines[0].startswith("FAIL: ")
    assert any("more in gate.json" in line for line in lines)
    assert any("ready, seconds" in line and "same" in line for line in lines)


def test_package_that_failed_is_named_with_what_shows_it() -> None:
    trouble = Trouble(
        "images",
        "Baking the image of 'jms' failed: the post-installation script of 'jicofo' ended.\n  no",
        packages=True,
        evidence=("jms: jicofo.service is failed",),
        hint="'docker exec -it labctl-failed-jms bash' looks around.",
    )
    text = render_text(judge_gate(make_side(trouble=trouble, tests=None)), folder=Path("/r"))
    assert text.startswith("FAIL: the candidate failed in phase 'images'")
    assert "docker exec -it labctl-failed-jms bash" in text
    assert "tests" not in text


def test_files_of_the_report(tmp_path: Path) -> None:
    save_report(judge_gate(make_side()), tmp_path)
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {"gate.html", "gate.json", "gate.txt", "junit.xml", "summary.md"}


def test_page_has_the_verdict_the_sides_and_what_decided_all_escaped() -> None:
    failed = case("test_hall", FAILED, "<b>nobody</b> saw the stage")
    gate = judge_gate(
        make_side(tests=(failed, case("test_ok")), stand_ins=("jicofo",)),
        make_side("baseline", tests=(case("test_hall"), case("test_ok"))),
    )
    page = render_page(gate)
    assert '<span class="word">fail</span>' in page
    assert "What decided (" in page
    assert "&lt;b&gt;nobody&lt;/b&gt; saw the stage" in page
    assert "<strong>STAND-INS.</strong> jicofo" in page
    assert page.count("<table") == 4
    assert "http://" not in page and "https://" not in page and "<script" not in page


def test_page_of_a_side_that_did_not_get_to_its_end() -> None:
    trouble = Trouble("images", "The bake failed.", packages=False, hint="Try again.")
    page = render_page(judge_gate(make_side(trouble=trouble, tests=None)))
    assert '<span class="word">could not judge</span>' in page
    assert "could not be tried in phase &#39;images&#39;" in page or "phase 'images'" in page
    assert "Try again." in page


def test_sides_have_labs_of_their_own_and_the_flags_of_both(tmp_path: Path) -> None:
    flags = {"network": "10.77.14.0/24", "jvbs": "1", "visitors": None}
    plan = GatePlan("debs:/c", tmp_path, baseline="jitsi:testing", flags=flags)
    baseline, candidate = plan_sides(plan)
    assert (baseline.spec.lab, candidate.spec.lab) == ("gate-baseline", "gate-candidate")
    assert str(baseline.spec.network) == "10.77.14.0/24"
    assert str(baseline.spec.packages.channel) == "testing"
    assert candidate.spec.packages.path == "/c"
    assert [job.label for job in plan_sides(GatePlan("debs:/c", tmp_path))] == ["candidate"]


def test_page_shows_packages_side_by_side_with_what_changed() -> None:
    old = PackageContents(
        "1.0-1173-1", {"Depends": ("debconf", "java17")}, {"/a.jar": "1", "/b.jar": "1"},
        {"/etc/jitsi/jicofo/logging.properties": "1"}, {"postinst": "#!/bin/sh\nold <way>\n"},
    )  # fmt: skip
    new = PackageContents(
        "1.0-1196-1", {"Depends": ("debconf", "java21")}, {"/a.jar": "2", "/c.jar": "1"},
        {"/etc/jitsi/jicofo/logging.properties": "2"}, {"postinst": "#!/bin/sh\nnew way\n"},
    )  # fmt: skip
    gate = judge_gate(
        make_side(contents={"jicofo": new, "jitsi-meet": new}, packages={"prosody": "13.0.7"}),
        make_side("baseline", contents={"jicofo": old}, packages={"prosody": "13.0.6"}),
    )
    page = render_page(gate)
    assert "files +1 -1 ~1, conffiles ~1, dependencies +1 -1, scripts postinst" in page
    assert "Depends: + java21" in page and "Depends: - java17" in page
    assert "-old &lt;way&gt;\n+new way" in page
    assert "/etc/jitsi/jicofo/logging.properties" in page
    assert "only in the candidate" in page
    assert '<th scope="row">prosody</th><td>13.0.7</td><td>13.0.6</td><td>the version</td>' in page
    again = Gate.from_json(json.loads(json.dumps(gate.to_json())))
    assert again.changes == gate.changes
    assert render_page(again) == page


def test_page_draws_each_pair_of_runs() -> None:
    page = render_page(judge_gate(make_side(ups=slower(UPS, 4)), make_side("baseline")))
    (drawing,) = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert drawing.count('class="pair"') == 9
    assert "5.2 → 9.2 s, slower<" in drawing
    assert "candidate 9 s, baseline 5 s" in drawing
    assert "<svg" not in render_page(judge_gate(make_side()))


def test_pair_that_does_not_count_is_faint() -> None:
    busy = Load(20.0, 2, 0.9)
    ups = (
        replace(UPS[0], load=busy),
        *(replace(up, load=replace(busy, others=0.1)) for up in UPS[1:]),
    )
    calm = tuple(replace(up, load=replace(busy, others=0.1)) for up in UPS)
    page = render_page(judge_gate(make_side(ups=ups), make_side("baseline", ups=calm)))
    assert page.count('class="pair faint"') == 3
    assert ", does not count" in page


def test_page_groups_findings_and_gate_json_has_them_whole() -> None:
    gate = finding_storm()
    page = render_page(gate)
    assert "test_a[node-0] and 11 more</code>" in page
    assert "and 11 more</strong>" in page
    assert "zzzzzzzz" not in page.partition("<h2>Details")[0].partition("<main>")[0]
    assert sum("&lt;b&gt;nobody" in line for line in page.splitlines()) <= 14
    assert len([it for it in gate.to_json()["findings"] if it["area"] == "tests"]) == 12
    assert page.count('<details class="group">') <= 6


def test_page_shows_resources_leaks_and_known_lines() -> None:
    known = replace(template("boom <n>"), reason="a drill <does> this")
    gate = judge_gate(
        make_side(resources=series(*LEVEL), soak=soak(100), logs=(known,)),
        make_side("baseline", resources=series(*LEVEL), soak=soak(0)),
    )
    page = render_page(gate)
    assert '<th scope="row">jvb: memory</th><td>202 MB (197-208)</td>' in page
    assert "<td>+100 ± 5 MB/h, grows</td><td>+0 ± 5 MB/h, level</td>" in page
    assert "a drill &lt;does&gt; this" in page
    text = render_text(gate, folder=Path("/r"))
    assert "300 calls, 1 grow" in text and "1 kinds, 1 known" in text


def test_exit_statuses_are_as_documented(root: Path) -> None:
    text = (root / "docs" / "gate.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\d+) \| ([\w ]*?) ?\|", text, re.MULTILINE))
    assert {int(status): word for status, word in rows.items() if word} == {
        each.exit_code: str(each) for each in GateVerdict
    }


def cells_of(gate: Gate) -> dict[str, tuple[str, ...]]:
    return {row.label: row.cells for row in parts_text(gate)}


def test_what_was_tried_has_a_row_for_each_part_and_a_cell_for_each_side() -> None:
    logs = (
        template("a"),
        replace(template("b"), reason="known", load=True),
        replace(template("c"), load=True),
    )
    new = make_side(logs=logs, tried=(TriedPackage("jicofo", "1", TriedIn.LAB),))
    old = make_side(
        "baseline", tests=None, drills=None, drift=None, logs=None,
        not_tried={"drills": "not asked for", "logs": "no"}, ups=(), cached="2026-11-29 10:12",
    )  # fmt: skip
    never = "not tried: it did not come to that"
    assert cells_of(judge_gate(new, old)) == {
        "measured": ("now", "2026-11-29 10:12 (kept)"),
        "tests": ("2 passed, 1 skipped", never),
        "drills": ("1 passed", "not tried: not asked for"),
        "contract": (never, never),
        "packages": ("1 of 1 tried", never),
        "upgrade": (never, never),
        "media": ("not tried", "not tried"),
        "drift": ("1 differences", never),
        "warnings and errors": ("3 kinds, 1 known, 1 by load", "not tried: no"),
        "processors lost to others": ("not measured", "not measured"),
    }


def test_the_contract_and_media_are_told_or_why_a_part_was_not_tried() -> None:
    new = make_side(
        contract=(GateCase("jicofo: a", PASSED), GateCase("jicofo: b", FAILED)),
        media=MediaFigures(first_sound=(0.5, 0.25, 1.0)),
    )
    parts = ("tests", "contract", "drift")
    old = make_side(
        "baseline", tests=None, drift=None, not_tried={part: f"no {part}" for part in parts}
    )
    found = cells_of(judge_gate(new, old))
    assert found["media"] == ("sound after 0.50 s (0.25-1.00)", "not tried")
    assert found["contract"] == ("1 passed, 1 failed", "not tried: no contract")
    assert [found[part][1] for part in parts] == [f"not tried: no {part}" for part in parts]


def test_parts_that_are_not_always_tried_have_rows_where_one_side_has_them() -> None:
    assert "measured" not in cells_of(judge_gate(make_side()))
    found = cells_of(judge_gate(make_side(not_tried={"e2e": "no"}), make_side("baseline")))
    never = "not tried: it did not come to that"
    assert found["end-to-end suite"] == ("not tried: no", never)
    found = cells_of(judge_gate(make_side(), make_side("baseline", soak=soak(100, failed=2))))
    assert found["leak run"] == (never, "300 calls, 2 failed, 1 grow")


def test_a_leak_run_in_words() -> None:
    level = soak(0)
    assert soak_text(make_side(soak=level)) == "300 calls, nothing grows"
    assert soak_text(make_side(not_tried={"soak": "no"})) == "not tried: no"
    unclear = replace(level.slopes[0], verdict=SlopeVerdict.UNCLEAR)
    many = replace(level, slopes=(unclear, unclear, *soak(100).slopes))
    assert soak_text(make_side(soak=many)) == "300 calls, 1 grow, 2 unclear"


def test_kinds_of_lines_in_words() -> None:
    assert logs_text(make_side()) == "1 kinds"
    assert logs_text(make_side(logs=())) == "0 kinds"
    busy = replace(template("a"), load=True)
    assert logs_text(make_side(logs=(busy, template("b")))) == "2 kinds, 1 by load"


def test_what_others_had_of_the_processors_in_words() -> None:
    def up(lost: float) -> Up:
        return Up({}, load=Load(20.0, 2, lost))

    ups = (up(0.4), Up({}), up(0.05), up(0.2))
    assert load_text(make_side(ups=ups)) == "5%-40%"
    assert load_text(make_side(ups=ups, load=Load(20.0, 2, 0.1, 0.2))) == "5%-40%, tests 30%"


def test_sides_stand_in_columns_and_long_cells_are_cut() -> None:
    gate = judge_gate(
        make_side(packages={"jicofo": "2.0", "nginx": "1.26"}),
        make_side("baseline", packages={"jicofo": "1.0"}, stand_ins=("jicofo",)),
    )
    lines = render_text(replace(gate, seconds=12.4), folder=Path("/r")).splitlines()
    assert lines[:5] == [
        "PASS: as good as the baseline (12 s).  WITH STAND-INS, which are not Jitsi's software",
        "",
        " " * 43 + "candidate debs:/candidates  baseline debs:/candidates",
        f"  {'jicofo':<41}{'2.0':<28}1.0 STAND-IN",
        f"  {'nginx':<41}{'1.26':<28}-",
    ]
    assert lines[-2:] == ["", "Report: /r"]
    long = replace(gate, candidate=replace(gate.candidate, source="debs:/" + "x" * 40))
    line = render_text(long, folder=Path("/r")).splitlines()[2]
    assert line == " " * 43 + "candidate debs:/xxxxxxxxxx  baseline debs:/candidates"


def test_one_side_has_all_the_room() -> None:
    side = make_side(packages={"jicofo": "1" * 40})
    lines = render_text(judge_gate(side), folder=Path("/r")).splitlines()
    assert lines[3] == f"  {'jicofo':<41}{'1' * 40}"
    assert f"  {'ready, seconds':<41}5.2 (5.0-5.4, 3 runs)" in lines


def test_figures_of_both_sides_with_their_verdict() -> None:
    gate = judge_gate(make_side(ups=slower(UPS, 4)), make_side("baseline"))
    lines = render_text(gate, folder=Path("/r")).splitlines()
    place = lines.index(
        f"  {'ready, seconds':<41}{'9.2 (9.0-9.4, 3 runs)':<28}{'5.2 (5.0-5.4, 3 runs)':<28}slower"
    )
    assert lines[place + 1] == "    pair by pair: +4.0 +4.0 +4.0"
    assert lines[place - 1].endswith("same") and lines[place - 2].endswith("not judged")


def test_why_a_side_did_not_finish_with_what_shows_it() -> None:
    trouble = Trouble(
        "ready",
        "word " * 40 + "\n  jms: nothing" * 20,
        packages=True,
        package="jicofo",
        evidence=tuple(f"line {n}" for n in range(20)),
        hint="Look " * 30 + "inside.",
    )
    text = render_text(judge_gate(make_side(trouble=trouble, tests=None)), folder=Path("/r"))
    lines = text.splitlines()
    start = lines.index("The candidate failed in phase 'ready', package 'jicofo':")
    assert lines[start - 1] == ""
    told = lines[start + 1 : lines.index("Report: /r") - 1]
    assert told[0] == "  " + " ".join(["word"] * 21)
    assert told[1].startswith("  word") and max(map(len, told)) <= 110
    assert told.count("    jms: nothing") == 13
    assert [line for line in told if "line" in line] == [f"  line {n}" for n in range(14)]
    advice = told[told.index("  line 13") + 1 :]
    assert advice[0].startswith("  Hint: Look Look") and advice[1].startswith("    Look")
    assert len(advice[0]) > 100
    assert " ".join(" ".join(advice).split()) == "Hint: " + "Look " * 30 + "inside."


def test_what_is_to_be_typed_is_never_cut() -> None:
    path = "/" + "x" * 150
    trouble = Trouble("ready", "no", packages=True, hint=f"Look into '{path}' and try again.")
    text = render_text(judge_gate(make_side(trouble=trouble, tests=None)), folder=Path("/r"))
    assert f"'{path}'" in text


def test_the_verdict_without_stand_ins_says_nothing_of_them() -> None:
    gate = replace(judge_gate(make_side()), seconds=12.4)
    lines = render_text(gate, folder=Path("/r")).splitlines()
    assert lines[0] == "PASS: everything passed (12 s)."


def test_a_machine_that_failed_could_not_try_the_side() -> None:
    trouble = Trouble("images", "", packages=False)
    gate = judge_gate(make_side(), make_side("baseline", trouble=trouble))
    lines = render_text(gate, folder=Path("/r")).splitlines()
    place = lines.index("The baseline could not be tried in phase 'images':")
    assert lines[place + 1 :] == ["", "Report: /r"]
    assert not any("Hint" in line for line in lines)


def test_findings_that_decide_come_first_and_no_area_hides_another() -> None:
    def finding(area: str, number: int, severity: Severity) -> GateFinding:
        return GateFinding(area, f"{area}-{number}", severity, f"it is {'x' * number}")

    findings = (
        *(finding("drills", n, Severity.FAIL) for n in range(10)),
        *(finding("media", n, Severity.ATTENTION) for n in range(5)),
        finding("timings", 1, Severity.UNDECIDED),
        finding("timings", 2, Severity.INFO),
    )
    gate = replace(judge_gate(make_side()), findings=findings)
    lines = render_text(gate, folder=Path("/r")).splitlines()
    start = lines.index("  FAIL  drills: drills-0: it is")
    assert lines[start - 1] == ""
    assert [line.partition(": it")[0] for line in lines[start:-2]] == [
        *(f"  FAIL  drills: drills-{n}" for n in range(8)),
        "  open  timings: timings-1",
        "  note  timings: timings-2",
        "  look  media: media-0",
        "  look  media: media-1",
        "  look  media: media-2",
        "  ... and 4 more in gate.json",
    ]


def test_findings_that_say_the_same_are_counted() -> None:
    findings = tuple(
        GateFinding("tests", f"x.py::test_{n}", Severity.FAIL, "no bridge") for n in range(3)
    )
    gate = replace(judge_gate(make_side()), findings=findings)
    text = render_text(gate, folder=Path("/r"))
    assert "\n  FAIL  tests: test_0 and 2 more (3x): no bridge\n" in text
    two = render_text(replace(gate, findings=findings[:2]), folder=Path("/r"))
    assert "\n  FAIL  tests: test_0 and 1 more (2x): no bridge\n" in two
    alone = render_text(replace(gate, findings=findings[:1]), folder=Path("/r"))
    assert "\n  FAIL  tests: test_0: no bridge\n" in alone
    assert "more in gate.json" not in alone
