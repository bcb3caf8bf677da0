"""The report's files: what is in them, and what must never be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from labctl.core.errors import LabError, UsageError
from labctl.core.files import write_json
from labctl.lab.report import Files, ensure_empty, load_secrets, render_again, save_report
from labctl.lab.verify import verify
from labctl.render.secrets import ensure_secrets
from labctl.report.logs import merge
from labctl.report.model import ReportOutcome
from labctl.report.redact import MARK, redact, redact_text, secret_values
from labctl.topology.migrate import read_topology
from labctl.topology.workdir import Workdir
from tests.report.make import DRILL, LOGS, report_of, run_of, test_of, topology
from tests.samples import SAMPLES

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\nZXk\n-----END OPENSSH PRIVATE KEY-----"


@pytest.fixture
def workdir(tmp_path: Path) -> Workdir:
    """A lab's folder with topology and secrets."""
    found = Workdir(tmp_path / "demo")
    found.save_topology(topology())
    ensure_secrets(found, vnodes=["v1", "v2"])
    return found


def test_no_secret_in_any_file(workdir: Workdir, tmp_path: Path) -> None:
    """A secret that got into a log, a message, a drill or a name of a status stays here."""
    secrets = load_secrets(workdir)
    assert secrets is not None and len(secrets) >= 7
    said = " ".join([*secrets, KEY])
    logs = {"jms": LOGS["jms"].replace("<b>", said.replace("\n", " "))}
    bad = test_of("test_a", ReportOutcome.FAILED, message=said, detail=f"{said}\n", doc=said)
    made = report_of(bad)
    assert made.failures[0].excerpt is not None and made.status is not None
    excerpt = replace(made.failures[0].excerpt, lines=tuple(merge(logs)))
    leaking = replace(
        made,
        failures=(replace(made.failures[0], excerpt=excerpt),),
        notes=(said,),
        status=replace(made.status, missing={said: said}),
    )
    write_json(tmp_path / "drills.json", [{**DRILL.to_json(), "reason": said}])
    write_json(tmp_path / "crowd.json", {"lost": {said: 1}, "phases": {}})
    save_report(leaking, tmp_path, secrets=secrets, junit=f"<testsuites>{said}</testsuites>")
    for name in ("report.html", "report.json", "junit.xml"):
        text = (tmp_path / name).read_text()
        assert not [secret for secret in secrets if secret in text], name
        assert "b3BlbnNzaC1r" not in text, name
        assert MARK in text, name
    ElementTree.parse(tmp_path / "junit.xml")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("password=abcdefgh1;", f"password={MARK};"),
        ("abcdefgh1x", MARK),
        (f"before {KEY} after", f"before {MARK} after"),
        ("-----BEGIN PRIVATE KEY-----\nabc", MARK),
        ("-----BEGIN CERTIFICATE-----\nabc", "-----BEGIN CERTIFICATE-----\nabc"),
    ],
    ids=["value", "longest first", "key", "key cut off", "certificates are public"],
)
def test_redacted(text: str, clean: str) -> None:
    assert redact_text(text, secrets=["abcdefgh1", "abcdefgh1x"]) == clean


def test_redaction_keeps_what_is_no_text() -> None:
    data = {"a": [1, 2.5, None, True, ("abcdefgh1",)], "abcdefgh1": {}}
    assert redact(data, secrets=["abcdefgh1"]) == {"a": [1, 2.5, None, True, [MARK]], MARK: {}}


def test_short_values_are_no_secrets() -> None:
    assert secret_values({"a": "x", "b": ["long-enough"], "c": {"d": 5}}) == {"long-enough"}


def test_secrets_that_cannot_be_read(workdir: Workdir) -> None:
    workdir.secrets_file.write_text("{")
    assert load_secrets(workdir) is None


def test_json_says_the_verdict(tmp_path: Path) -> None:
    save_report(report_of(), tmp_path, secrets=())
    data = json.loads((tmp_path / "report.json").read_text())
    assert (data["format"], data["verdict"], data["packages"]) == (1, "failed", "stand-ins")
    assert data["sentence"].startswith("2 of 3 tests failed on lab 'demo'")


def test_made_anew_with_drills_that_came_later(tmp_path: Path) -> None:
    save_report(report_of(test_of(), drills=None, crowd=None), tmp_path, secrets=())
    page = (tmp_path / "report.html").read_text()
    assert "A vnode with visitors" not in page
    first = (tmp_path / "report.json").read_text()
    render_again(tmp_path)
    assert (tmp_path / "report.json").read_text() == first
    assert (tmp_path / "report.html").read_text() == page
    write_json(tmp_path / "drills.json", [DRILL.to_json()])
    render_again(tmp_path)
    assert "A vnode with visitors" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "run": {}}'])
def test_damaged_report_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(LabError):
        render_again(tmp_path)


def test_older_report_goes_first(workdir: Workdir, tmp_path: Path) -> None:
    files = Files.of(workdir)
    for path in (tmp_path / "report.html", tmp_path / "junit.xml", files.results):
        path.write_text("old")
    (tmp_path / "drills.json").write_text("[]")
    ensure_empty(tmp_path, files=files)
    left = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert left == {"drills.json"} and not files.results.exists()


def test_folder_that_is_a_file(workdir: Workdir, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="No report can be written to"):
        ensure_empty(tmp_path / "out", files=Files.of(workdir))


def test_second_junit_file_is_refused(workdir: Workdir) -> None:
    with pytest.raises(UsageError, match=r"junit\.xml"):
        verify(workdir, ["--junitxml=x.xml"], record=True)


def test_run_without_tests_can_be_reported(tmp_path: Path) -> None:
    report = report_of(run=run_of(exit_status=4), failures=(), status=None, drills=None)
    save_report(report, tmp_path, secrets=())
    page = (tmp_path / "report.html").read_text()
    assert "incomplete" in page and "PACKAGES UNKNOWN" not in page and "No test ran" in page


@pytest.mark.parametrize("text", ["{", '[{"name": "x"}]', '[{"format": 9}]', "[3]"])
def test_drills_that_cannot_be_read_are_told_and_cost_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "drills.json").write_text(text)
    report = save_report(report_of(test_of()), tmp_path, secrets=())
    assert report.drills == (DRILL,)
    (note,) = report.notes
    assert note.startswith("drills.json could not be read: ")
    assert render_again(tmp_path).notes == (note,)


def test_a_report_of_the_first_labctl_is_made_anew(tmp_path: Path) -> None:
    """Its topology has format 1, its other parts have no format."""
    plain = report_of().to_json()
    lab = json.loads((SAMPLES / "labs" / "machines" / "topology.json").read_text())
    for part in (plain["status"], *plain["drills"], plain["crowd"]):
        del part["format"]
    write_json(tmp_path / "report.json", {**plain, "topology": lab})
    report = render_again(tmp_path)
    assert report.topology == read_topology(lab, source="x")
    assert (report.status, report.drills, report.crowd) == (
        report_of().status,
        report_of().drills,
        report_of().crowd,
    )
    data = json.loads((tmp_path / "report.json").read_text())
    assert (data["topology"]["format"], data["drills"][0]["format"]) == (2, 1)
