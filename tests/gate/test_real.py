"""The gate on real labs: a candidate that dies, seen to its end.  Its packages are stand-ins."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from labctl.gate.model import CaseOutcome, Gate

pytestmark = [pytest.mark.lab, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--jvbs", "1", "--visitors", "1", "--network", "10.77.14.0/24")
DIES = "#!/bin/sh\necho 'JVB candidate: NoSuchMethodError: frob'\nexit 3\n"


def gate(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "bin" / "labctl", "gate", *words, *SMALL],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "LABCTL_LAB": ""},
    )


@pytest.fixture(scope="module")
def dying(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand-ins of another version, whose bridge ends as soon as it starts."""
    scratch = tmp_path_factory.mktemp("dying")
    sources, debs = scratch / "standins", scratch / "debs"
    shutil.copytree(ROOT / "standins", sources)
    for control in sources.glob("*/DEBIAN/control"):
        control.write_text(control.read_text().replace("0~standin1", "0~standin9"))
    bridge = sources / "jitsi-videobridge2" / "root/usr/share/jitsi-videobridge/jvb.sh"
    bridge.write_text(DIES)
    subprocess.run([sources / "build", debs], check=True, stdout=subprocess.DEVNULL)
    return debs


def test_stand_ins_are_refused_wherever_they_come_from(dying: Path, tmp_path: Path) -> None:
    done = gate("--candidate", f"debs:{dying}", "--report", str(tmp_path))
    assert done.returncode == 3
    assert "COULD NOT JUDGE" in done.stdout
    assert "jitsi-videobridge2" in done.stdout


def test_candidate_that_starts_and_dies(dying: Path, tmp_path: Path) -> None:
    done = gate(
        *("--candidate", f"debs:{dying}", "--allow-stand-ins", "--quick"),
        *("--report", str(tmp_path), "--json"),
    )
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert found["word"] == "fail"
    assert found["reason"].startswith("package 'jitsi-videobridge2' failed")
    trouble = found["candidate"]["trouble"]
    assert any("NoSuchMethodError: frob" in line for line in trouble["evidence"])
    assert (tmp_path / "candidate" / "nodes" / "jms.log").is_file()
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert root[0].get("failures") == "1"
    assert not (ROOT / ".lab" / "gate-candidate").exists()
    listed = subprocess.run(
        ["docker", "ps", "-aq", "--filter", "name=labctl-gate-candidate"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout == ""


def test_candidate_that_is_fine_is_looked_at_from_all_sides(tmp_path: Path) -> None:
    """Stand-ins as they are: what is asked of nodes is answered, and the report has it."""
    done = gate(
        *("--candidate", "stand-ins", "--allow-stand-ins", "--quick"),
        *("--report", str(tmp_path), "--json"),
    )
    assert done.returncode == 0, done.stderr + done.stdout
    found = Gate.from_json(json.loads(done.stdout)).candidate
    assert found.contract and all(
        each.outcome in (CaseOutcome.PASSED, CaseOutcome.SKIPPED) for each in found.contract
    )
    assert found.resources
    last = found.resources[-1].units
    assert {"jicofo", "jitsi-videobridge2", "nginx", "prosody", "prosody-v"} == set(last)
    for use in last.values():
        assert use.memory > 100_000 and use.threads and use.descriptors
    assert last["jicofo"].log > 1000
    assert found.contents is not None
    assert {"jicofo", "jitsi-videobridge2", "jitsi-meet-prosody"} <= set(found.contents)
    assert "postinst" in found.contents["jicofo"].scripts
    assert [each.template for each in found.logs or () if not (each.reason or each.load)] == []
    (report,) = tmp_path.glob("gate.html")
    assert "What the services used during the tests" in report.read_text()
