"""Ids of findings: each is explained, used, and never without a cure."""

from __future__ import annotations

import re

import pytest

from labctl.core.checks import Check, CheckStatus, render_checks
from labctl.core.findings import PAGE, Finding
from labctl.topology.workdir import ROOT


def test_the_page_explains_every_finding_and_no_other() -> None:
    """A heading that is one word is an id; those of symptoms have blanks."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    headings = re.findall(r"(?m)^### (\S+)$", text)
    assert len(headings) == len(set(headings))
    assert set(headings) == {str(each) for each in Finding}
    bodies = re.findall(r"(?m)^### \S+$\n([^#]*)", text)
    assert all(len(body.split()) > 8 for body in bodies), "a section that says nothing"


def test_links_to_sections_lead_somewhere() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    headings = re.findall(r"(?m)^##+ (.+)$", text)
    anchors = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= anchors


@pytest.mark.parametrize("finding", Finding)
def test_every_finding_is_found_by_something_and_says_why_it_matters(finding: Finding) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", finding.value)
    assert finding.why[0].isupper() or finding.why.startswith(
        ("labctl", "podman", "ssh", "libvirt")
    )
    assert finding.why.endswith(".") and finding.page == f"docs/troubleshooting.md#{finding}"
    sources = [path for path in (ROOT / "labctl").rglob("*.py") if path.name != "findings.py"]
    word = f"Finding.{finding.name}"
    assert any(
        re.search(rf"{re.escape(word)}\b", path.read_text(encoding="utf-8")) for path in sources
    )


@pytest.mark.parametrize(
    ("hint", "finding"), [("Do it.", None), (None, Finding.DISK_FULL), ("", Finding.DISK_FULL)]
)
def test_what_is_not_in_order_has_an_id_and_a_cure(
    hint: str | None, finding: Finding | None
) -> None:
    with pytest.raises(ValueError, match="has no id or no cure"):
        Check("disk", CheckStatus.WARN, "full", hint, finding)


def test_programs_are_told_id_what_why_and_cure() -> None:
    check = Check("disk", CheckStatus.FAIL, "1 MiB free", "Free some.", Finding.DISK_FULL)
    assert check.to_json() == {
        "id": "disk-full",
        "name": "disk",
        "status": "fail",
        "what": "1 MiB free",
        "why": Finding.DISK_FULL.why,
        "cure": "Free some.",
        "page": "docs/troubleshooting.md#disk-full",
    }
    fine = Check("disk", CheckStatus.OK, "9 GiB free").to_json()
    assert fine["id"] is None and fine["what"] == "9 GiB free" and set(fine) == set(check.to_json())


def test_a_table_names_the_id_and_the_page() -> None:
    check = Check("disk", CheckStatus.FAIL, "1 MiB free", "Free some.", Finding.DISK_FULL)
    assert render_checks([check]).splitlines()[1:] == [
        "            -> Free some. [disk-full]",
        "Each word in brackets is explained in docs/troubleshooting.md.",
    ]
