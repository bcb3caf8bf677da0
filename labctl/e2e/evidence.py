"""What the nodes logged while a spec failed, without the lab's secrets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from labctl.core.progress import Progress
from labctl.lab.report import load_secrets, read_log_lines
from labctl.report.e2e import E2eRecord, SpecRecord
from labctl.report.excerpt import excerpt
from labctl.report.lines import LogLine
from labctl.report.redact import redact
from labctl.topology.lab import Lab


def add_evidence(lab: Lab, record: E2eRecord, *, progress: Progress) -> E2eRecord:
    """The record with log lines of all nodes for every spec that failed, even if only once.

    What cannot be had becomes a note."""
    if not any(spec.failure for spec in record.specs):
        return record
    hidden = load_secrets(lab.folder)
    if hidden is None:
        note = "The lab's secrets cannot be read, so log lines are left out."
        return replace(record, notes=(*record.notes, note))
    notes: list[str] = []
    entries = read_log_lines(lab, notes=notes, progress=progress)
    specs = tuple(_with_lines(spec, entries) for spec in record.specs)
    found = replace(record, specs=specs, notes=(*record.notes, *notes))
    return E2eRecord.from_json(redact(found.to_json(), secrets=hidden))


def _with_lines(spec: SpecRecord, entries: Sequence[LogLine]) -> SpecRecord:
    failed = spec.failure
    if failed is None or not entries:
        return spec
    start, end = failed.window
    return replace(spec, excerpt=excerpt(entries, start=start, end=end))
