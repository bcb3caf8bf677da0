"""Packages really installed: stand-ins in two versions, good ones and broken ones.

The newer version is the same stand-ins under another number.  Broken ones have an error that
packages have had: a script that fails, a conffile that the package itself has changed, a service
that is restarted twice.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.core.progress import silent
from labctl.gate.compare import judge_gate
from labctl.gate.job import Found, SideJob
from labctl.gate.model import GateFinding, GateVerdict, Severity, Side, TriedIn
from labctl.gate.tried import open_larder, try_set
from labctl.gate.upgrades import try_upgrades
from labctl.images.packages import resolve
from labctl.spec import load_spec
from labctl.upgrade.machine import bare_machine, machine_spec
from labctl.upgrade.model import Symptom
from labctl.upgrade.own import upgrade_own
from tests.gate.sides import case

pytestmark = [pytest.mark.lab, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
NETWORK = "10.77.15.0/24"
LOGGING = "jicofo/root/etc/jitsi/jicofo/logging.properties"
AGAIN = "\nsystemctl restart jitsi-videobridge2.service\n"
ASKS = """#!/bin/sh
set -e
if [ "$1" = upgrade ]; then
    echo '# touched by the package itself' >> /etc/jitsi/jicofo/logging.properties
fi
"""


def build(target: Path, *, broken: Mapping[str, str] | None = None) -> Path:
    """Stand-ins of another version; `broken` are texts at the end of files of their sources."""
    sources = target / "sources"
    shutil.copytree(ROOT / "standins", sources)
    for control in sources.glob("*/DEBIAN/control"):
        control.write_text(control.read_text().replace("0~standin1", "0~standin9"))
    for name, text in (broken or {}).items():
        file = sources / name
        old = file.read_text().removesuffix("exit 0\n") if file.is_file() else ""
        file.write_text(old + text)
    subprocess.run([sources / "build", target / "debs"], check=True, stdout=subprocess.DEVNULL)
    return target / "debs"


def job_of(label: str, source: str, folder: Path, *, quick: bool = False) -> SideJob:
    flags = {"packages": source, "lab": f"upgrade-{label}", "network": NETWORK,
             "jvbs": 1, "visitors": 1}  # fmt: skip
    spec, _ = load_spec(None, flags)
    return SideJob(label, source, spec, folder / label, quick=quick, stand_ins=True)


def judged(found: Found) -> tuple[GateVerdict, list[GateFinding]]:
    side = replace(found.side, tests=(case("test_a"),))
    gate = judge_gate(side)
    return gate.word, [each for each in gate.findings if each.severity is not Severity.INFO]


@pytest.fixture
def work() -> Iterator[Path]:
    # Not below pytest's folder, which other users may not enter: apt reads files as another one.
    with tempfile.TemporaryDirectory(prefix="labctl-upgrade-") as folder:
        yield Path(folder)


@pytest.mark.long
def test_a_clean_upgrade_has_nothing_that_fails(work: Path) -> None:
    """Four upgrades in three labs.  The two tests below install one set over the other once."""
    old = job_of("baseline", "stand-ins", work)
    new = job_of("candidate", f"debs:{build(work)}", work)
    found = Found(Side("candidate", new.source))
    try_upgrades(old, new, found, progress=silent)
    assert found.not_tried == {}
    trials = found.side.upgrades or ()
    assert [trial.scenario.name for trial in trials] == [
        "upgrade with the packages' own configuration",
        "upgrade node by node",
        "upgrade all at once",
        "downgrade all at once",
    ]
    assert [trial.scenario.ended for trial in trials] == [None] * 4
    assert all(trial.scenario.lost is not None for trial in trials)
    # A bridge that is drained first takes nobody's sound away.
    assert trials[1].scenario.steps[0].lost == 0.0
    word, findings = judged(found)
    assert word is not GateVerdict.FAIL, findings


def test_a_script_that_fails_fails_the_gate_and_is_named(work: Path) -> None:
    debs = build(
        work, broken={"jitsi-meet-tokens/DEBIAN/postinst": "echo 'no token for you'\nexit 1\n"}
    )
    job = job_of("candidate", f"debs:{debs}", work, quick=True)
    found = Found(Side("candidate", job.source))
    try_set(job, found, progress=silent)
    tried = {item.name: item for item in found.side.tried or ()}
    assert tried["jitsi-meet-tokens"].tried is TriedIn.MACHINE, tried
    word, findings = judged(found)
    assert word is GateVerdict.FAIL
    (finding,) = [each for each in findings if each.severity is Severity.FAIL]
    assert finding.subject.startswith("jitsi-meet-tokens: ")
    assert "post-installation script" in finding.text
    assert "install jitsi-meet, jitsi-meet-turnserver, jitsi-meet-tokens" in finding.text


def test_a_conffile_that_asks_and_a_service_that_restarts_twice_are_named(work: Path) -> None:
    debs = build(
        work,
        broken={
            LOGGING: "# of the newer version\n",
            "jicofo/DEBIAN/preinst": ASKS,
            "jitsi-videobridge2/DEBIAN/postinst": AGAIN,
        },
    )
    old = job_of("baseline", "stand-ins", work)
    new = job_of("candidate", f"debs:{debs}", work)
    larders = [
        open_larder(job, resolve(job.spec.packages, cache=work / "cache"), folder=work / job.label)
        for job in (old, new)
    ]
    with bare_machine(machine_spec(old.spec, lab="upgrade-bare"), progress=silent) as machine:
        scenario = upgrade_own(machine, *larders, ["jitsi-meet"], progress=silent)
    upgrade = scenario.steps[1]
    found = {(each.symptom, each.subject, each.package) for each in upgrade.observations}
    assert (Symptom.CONFFILE, "/etc/jitsi/jicofo/logging.properties", "jicofo") in found
    assert (Symptom.RESTARTED, "jitsi-videobridge2.service", "jitsi-videobridge2") in found
    assert Symptom.FAILED not in {each.symptom for each in upgrade.observations}
