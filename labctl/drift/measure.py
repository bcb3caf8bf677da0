"""Measure the drift of a running lab."""

from __future__ import annotations

from labctl.drift.intended import load_intended
from labctl.drift.read import read_all
from labctl.drift.report import Drift, merge_readings
from labctl.node.ssh import ensure_config
from labctl.ready import probe
from labctl.topology.lab import Lab


def measure_drift(lab: Lab) -> Drift:
    """Compare what the packages generated with what labctl placed, on every node.

    Errors: LabError if a node does not answer.
    """
    ensure_config(lab)
    installed = probe(lab, lab.topology.jms).versions
    intended = load_intended(installed=installed)
    return merge_readings(read_all(lab), intended, lab=lab.topology.lab)
