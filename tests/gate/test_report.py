"""One screen, the verdict first."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

from labctl.gate.compare import judge_gate
from labctl.gate.contents import PackageContents
from labctl.gate.measures import Load
from labctl.gate.model import Gate, GateVerdict, Trouble
from labctl.gate.page import render_page
from labctl.gate.report import render_text, version_text
from labctl.gate.run import GatePlan, plan_sides, save_report
from tests.gate.sides import FAILED, UPS, case, finding_storm, make_side, slower, template
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
