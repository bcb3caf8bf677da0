"""The files of a run: e2e.json for programs, e2e.xml for CI servers, e2e.html for people."""

from __future__ import annotations

from pathlib import Path

from labctl.core.files import write_file, write_json
from labctl.core.state import Flaw, StateError, load_state
from labctl.e2e.junit import render_junit
from labctl.lab.report import E2E_JSON
from labctl.report.e2e import E2E, E2eRecord, SpecOutcome, SpecRecord
from labctl.report.e2epage import read_pictures, render_e2e_page

JUNIT, HTML = "e2e.xml", "e2e.html"


def save_record(record: E2eRecord, folder: Path) -> None:
    """Write all files of a run; pictures and logs are in `folder` already."""
    write_json(folder / E2E_JSON, record.to_json())
    write_file(folder / JUNIT, render_junit(record))
    pictures = read_pictures(record, folder)
    write_file(folder / HTML, render_e2e_page(record, pictures=pictures))


def load_known(folder: Path, *, lab: str, suite: Path) -> dict[str, SpecRecord]:
    """The specs that an interrupted run of the same suite on the same lab has done, by name.

    Specs that were not run are left out, because that may have changed.  Errors: StateError for a
    file that cannot be read."""
    try:
        record = load_state(folder / E2E_JSON, E2E)
    except StateError as error:
        if error.flaw is Flaw.MISSING:
            return {}
        raise
    if not record.interrupted or (record.lab, record.suite) != (lab, str(suite)):
        return {}
    done = (spec for spec in record.specs if spec.outcome is not SpecOutcome.NOT_RUN)
    return {spec.name: spec for spec in done}
