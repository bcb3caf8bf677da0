"""One screen, the verdict first."""

from __future__ import annotations

from pathlib import Path

from labctl.gate.compare import judge
from labctl.gate.model import Trouble
from labctl.gate.page import render_page
from labctl.gate.report import render_text
from labctl.gate.run import Plan, plan_sides, save_report
from tests.gate.sides import FAILED, case, make_side


def test_verdict_says_that_there_are_stand_ins() -> None:
    gate = judge(make_side(stand_ins=("jicofo",)))
    first = render_text(gate, folder=Path("/r")).splitlines()[0]
    assert first.startswith("PASS: everything passed")
    assert "STAND-INS" in first


def test_one_screen_even_on_a_bad_day() -> None:
    failed = [case(f"test_{i}", FAILED, "x" * 500) for i in range(100)]
    tests = (*failed, case("test_ok"))
    gate = judge(make_side(tests=tests), make_side("baseline"))
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
    text = render_text(judge(make_side(trouble=trouble, tests=None)), folder=Path("/r"))
    assert text.startswith("FAIL: the candidate failed in phase 'images'")
    assert "docker exec -it labctl-failed-jms bash" in text
    assert "tests" not in text


def test_files_of_the_report(tmp_path: Path) -> None:
    save_report(judge(make_side()), tmp_path)
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {"gate.html", "gate.json", "gate.txt", "junit.xml"}


def test_page_has_the_verdict_the_sides_and_what_decided_all_escaped() -> None:
    failed = case("test_hall", FAILED, "<b>nobody</b> saw the stage")
    gate = judge(
        make_side(tests=(failed, case("test_ok")), stand_ins=("jicofo",)),
        make_side("baseline", tests=(case("test_hall"), case("test_ok"))),
    )
    page = render_page(gate)
    assert '<span class="word">fail</span>' in page
    assert "What decided (" in page
    assert "&lt;b&gt;nobody&lt;/b&gt; saw the stage" in page
    assert "<strong>STAND-INS.</strong> jicofo" in page
    assert page.count("<table>") == 3
    assert "http://" not in page and "https://" not in page and "<script" not in page


def test_page_of_a_side_that_did_not_get_to_its_end() -> None:
    trouble = Trouble("images", "The bake failed.", packages=False, hint="Try again.")
    page = render_page(judge(make_side(trouble=trouble, tests=None)))
    assert '<span class="word">could not judge</span>' in page
    assert "could not be tried in phase &#39;images&#39;" in page or "phase 'images'" in page
    assert "Try again." in page


def test_sides_have_labs_of_their_own_and_the_flags_of_both(tmp_path: Path) -> None:
    flags = {"network": "10.77.14.0/24", "jvbs": "1", "visitors": None}
    plan = Plan("debs:/c", tmp_path, baseline="jitsi:testing", flags=flags)
    baseline, candidate = plan_sides(plan)
    assert (baseline.spec.lab, candidate.spec.lab) == ("gate-baseline", "gate-candidate")
    assert str(baseline.spec.network) == "10.77.14.0/24"
    assert str(baseline.spec.packages.channel) == "testing"
    assert candidate.spec.packages.path == "/c"
    assert [job.label for job in plan_sides(Plan("debs:/c", tmp_path))] == ["candidate"]
