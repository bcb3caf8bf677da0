"""The reference pages are made from the verbs, the drills and the exit statuses."""

from __future__ import annotations

import re
from pathlib import Path

from labctl.cli.main import cli
from labctl.cli.manpage import all_paths
from labctl.cli.reference import PAGES, render_drills, render_exits, render_findings, render_verbs
from labctl.core.exits import MEANINGS
from labctl.core.findings import Finding
from labctl.drills import DRILLS


def test_every_verb_has_a_section_with_its_options() -> None:
    text = render_verbs()
    paths = [path for path in all_paths(cli) if path]
    headings = re.findall(r"(?m)^### labctl (.+)$", text)
    assert sorted(headings) == sorted(" ".join(path) for path in paths)
    section = text.split("### labctl crowd\n")[1].split("\n### ")[0]
    assert "`labctl crowd [OPTIONS]`" in section
    assert "| `--media N` |" in section
    assert "\n    labctl crowd " in section


def test_a_cell_breaks_no_table() -> None:
    rows = [line for line in render_verbs().splitlines() if line.startswith("|")]
    assert rows
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 3 for row in rows)


def test_every_drill_has_a_section() -> None:
    text = render_drills()
    assert re.findall(r"(?m)^## (.+)$", text) == [drill.name for drill in DRILLS]
    assert all(text.count(f"- **{name}**") == len(DRILLS) for name in ("fault", "undone", "budget"))
    weak = [drill for drill in DRILLS if drill.weakness]
    assert text.count("- **weakness**") == len(weak) > 0


def test_every_exit_status_has_a_row() -> None:
    text = render_exits()
    assert all(f"| {int(code)} | {words} |" in text for code, words in MEANINGS.items())


def test_every_finding_has_a_row_that_leads_to_its_cure() -> None:
    text = render_findings()
    assert re.findall(r"\(\.\./troubleshooting\.md#([a-z-]+)\)", text) == list(Finding)
    assert all(finding.why in text for finding in Finding)


def test_each_has_its_page(root: Path) -> None:
    for name in PAGES:
        page = (root / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")
        assert f"\n<!-- made from the code: {name} -->\n" in page
