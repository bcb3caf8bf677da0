"""What `--json` prints is as docs/schemas/ says, verb by verb."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from labctl.browser.figures import Snapshot
from labctl.browser.group import GroupResult
from labctl.cli import told
from labctl.cli.main import cli
from labctl.cli.manpage import all_paths
from labctl.cli.schemas import PRINTED, all_schemas
from labctl.contract.report import ContractRecord
from labctl.core.checks import Check, CheckStatus
from labctl.core.findings import Finding
from labctl.core.plain import to_plain
from labctl.crowd.figures import Figures
from labctl.crowd.media.figures import KINDS, KindFigures, MediaFigures
from labctl.crowd.record import CrowdRecord
from labctl.crowd.spread import Spread
from labctl.drift.report import Drift, DriftEntry, DriftSkip
from labctl.gate.bisected import BisectResult
from labctl.gate.compare import judge_gate
from labctl.gate.model import Gate
from labctl.graph import make_picture
from labctl.graph.facts import facts_of
from labctl.images.plan import packages_to_json, parse_label
from labctl.lab import current
from labctl.lab.deployment import plan_deployment
from labctl.lab.diagnose import Diagnosis
from labctl.lab.plan import UpPlan
from labctl.lab.rotation import Rotation
from labctl.lab.secretuses import SecretFacts
from labctl.live.model import Snapshot as LiveSnapshot
from labctl.providers.docker import images as docker
from labctl.report.blip import BlipRecord
from labctl.report.drill import DrillRecord, drills_to_json
from labctl.report.e2e import E2eRecord
from labctl.report.metrics import MetricNamesRecord, MetricRecord, MetricsRecord
from labctl.report.status import Status
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.training.progress import ScoreRecord
from labctl.training.session import Hint
from tests.cli.test_help import command_at
from tests.e2e.make import record_of
from tests.fakes.nodes import ANY, FakeNodes
from tests.gate.sides import finding_storm, make_side
from tests.live.make import make_broken, make_snapshot
from tests.report.make import report_of
from tests.schemas import FOLDER, checked, filled, validator

HINT = "'bin/test --unit tests/cli/test_schemas.py --update-golden' writes it again"
NAMES = list(PRINTED)
FULL_DISK = Check("disk", CheckStatus.FAIL, "1 MiB free", "Free some.", Finding.DISK_FULL)
SILENT_NODE = Diagnosis(Finding.NODE_SILENT, "jvb1", "It does not answer.", "Start it.")


def doctor_told(*checks: Check | Diagnosis) -> told.DoctorTold:
    """What `labctl doctor` prints for these."""
    found = (told.CheckTold(**check.to_json()) for check in checks)
    return told.DoctorTold(("a disk was emptied",), tuple(found))


def test_the_folder_has_the_schemas(request: pytest.FixtureRequest) -> None:
    made = {f"{name}.json": f"{json.dumps(schema, indent=2)}\n" for name, schema in all_schemas()}
    if request.config.getoption("--update-golden"):
        FOLDER.mkdir(exist_ok=True)
        for name, text in made.items():
            (FOLDER / name).write_text(text, encoding="utf-8")
    kept = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert sorted(kept) == sorted(made), HINT
    assert kept == made, HINT


def test_the_page_lists_them() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"(?m)^\| `labctl ([^`]+)` \| \[([a-z0-9-]+)\]\(\2\.json\) \|$", page))
    assert rows == {printed.words: name for name, printed in PRINTED.items()}


def verbs_with_json() -> set[tuple[str, ...]]:
    return {
        path
        for path in all_paths(cli)
        if any("--json" in parameter.opts for parameter in command_at(path).params)
    }


def test_every_verb_with_json_has_a_schema() -> None:
    described = {re.match(r"[a-z0-9 ]+", printed.words)[0].strip() for printed in PRINTED.values()}  # type: ignore[index]
    assert {" ".join(path) for path in verbs_with_json()} == described


NO_FACTS = {
    (), ("drill",), ("images",), ("config",), ("bundle",), ("secrets",),
    ("verify",), ("serve",), ("ssh",), ("exec",), ("halt",), ("down",), ("destroy",),
    ("completion",), ("man",), ("rebuild",),
    ("class",), ("class", "handout"),
    *(("class", verb) for verb in ("start", "story", "solve", "reset", "new")),
}  # fmt: skip
"""They do something, or pass on what another program prints."""


def test_every_verb_that_prints_facts_has_json() -> None:
    assert set(all_paths(cli)) - verbs_with_json() == NO_FACTS


SPREAD = Spread(2, 0.1, 0.2, 0.3)
MEDIA = MediaFigures(
    2, 2, 2, 3, {"jvb1": 2}, {"no answer": 1},
    dict.fromkeys(KINDS, KindFigures(2, 2, 100, 8000, 1, 0, jitter=SPREAD, gap=None)),
)  # fmt: skip
CROWDS = (
    CrowdRecord("demo", "r", figures=Figures(asked=1, phases={"all": SPREAD})),
    CrowdRecord("demo", "r", with_media=2, figures=Figures(redirected={"v1": 2}, media=MEDIA)),
)
ENTRY = filled(DriftEntry)
SKIP = filled(DriftSkip)
RECORDS = [
    *(("status", filled(Status, full=full).to_json()) for full in (True, False)),
    *(("watch", made().to_json()) for made in (make_snapshot, make_broken)),
    *(("watch", filled(LiveSnapshot, full=full).to_json()) for full in (True, False)),
    *(("metrics", to_plain(filled(MetricsRecord, full=full))) for full in (True, False)),
    *(("metrics-name", to_plain(filled(MetricRecord, full=full))) for full in (True, False)),
    ("metrics-names", to_plain(filled(MetricNamesRecord))),
    *(("blip", filled(BlipRecord, full=full).to_json()) for full in (True, False)),
    *(("contract", filled(ContractRecord, full=full).to_json()) for full in (True, False)),
    *(("drill-run", drills_to_json([filled(DrillRecord, full=it)])) for it in (True, False)),
    *(("e2e", filled(E2eRecord, full=full).to_json()) for full in (True, False)),
    ("e2e", record_of().to_json()),
    *(("gate-bisect", filled(BisectResult, full=full).to_json()) for full in (True, False)),
    *(("gate", filled(Gate, full=full).to_json()) for full in (True, False)),
    ("gate", finding_storm().to_json()),
    ("gate", judge_gate(make_side()).to_json()),
    *(("crowd", crowd.to_json()) for crowd in CROWDS),
    ("drift", Drift("demo", (ENTRY,), (ENTRY,), (SKIP,)).to_json()),
    ("drift", Drift("demo").to_json()),
    ("report", report_of().to_json()),
    ("report", report_of(e2e=record_of()).to_json()),
    ("doctor", to_plain(doctor_told(FULL_DISK, Check("mtu", CheckStatus.OK, "1500")))),
    ("doctor-lab", to_plain(doctor_told(SILENT_NODE))),
    *(
        (
            "crowd-browsers",
            {
                "lab": "demo", "room": "r", "hold": 1.0,
                **GroupResult((filled(Snapshot, full=full),), {"a": "x"}).to_json(),
            },
        )
        for full in (True, False)
    ),
    *(("plan", filled(UpPlan, full=full).to_json()) for full in (True, False)),
    ("plan-participants", plan_deployment(10_000, Spec(), available=9000).to_json()),
    ("graph", to_plain(facts_of(make_picture(resolve(Spec(relays=True)))))),
    ("capture", to_plain(told.CaptureTold("out.pcapng", 3, {"jms": 0}))),
    *(("up-count", to_plain(filled(told.UpManyTold, full=full))) for full in (True, False)),
    ("class-hint", to_plain(filled(Hint))),
    ("class-check", to_plain(filled(told.ClassCheckTold))),
    *(("class-score", to_plain([filled(ScoreRecord, full=full)])) for full in (True, False)),
    ("secrets-list", to_plain([filled(SecretFacts)])),
    *(("secrets-rotate", to_plain(filled(Rotation, full=full))) for full in (True, False)),
    ("logs-node", to_plain(told.NodeLogTold("demo", "jms", {}, "no answer"))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data"), RECORDS, ids=[f"{index}-{row[0]}" for index, row in enumerate(RECORDS)]
)
def test_records(name: str, data: Any) -> None:
    checked(name, data)


@pytest.fixture
def _project(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab 'demo' whose nodes pretend, and an empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("labctl.cli.common.Workdir.of", lambda name: lab.folder)
    monkeypatch.setattr(current, "CURRENT", tmp_path / "current")


VERBS = {
    "init": ["init", "--json"],
    "init-list": ["init", "--list", "--json"],
    "config-show": ["config", "show", "--jvbs", "3", "--json"],
    "config-explain": ["config", "explain", "visitors", "--json"],
    "config-explain-all": ["config", "explain", "--json"],
    "render": ["render", "--lab", "demo", "--jvbs", "1", "--visitors", "2", "--json"],
    "status": ["status", "--json"],
    "graph": ["graph", "--running", "--json"],
    "logs": ["logs", "--json"],
    "logs-node": ["logs", "jms", "--json"],
    "contract-pairs": ["contract", "--pairs", "--json"],
    "drill-list": ["drill", "list", "--json"],
    "class-list": ["class", "list", "--json"],
    "class-score": ["class", "score", "--json"],
}


@pytest.mark.usefixtures("_project")
@pytest.mark.parametrize("name", VERBS)
def test_verbs(name: str, nodes: FakeNodes) -> None:
    nodes.says(ANY, {"journal": "what it said\n"}, to="section journal")
    done = CliRunner().invoke(cli, VERBS[name], standalone_mode=False)
    assert done.exception is None
    assert checked(name, done.stdout)


def test_an_image_of_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    label = '{"jicofo":{"version":"1.0","source":"jitsi"}}'
    found = {
        "Created": "2026-11-21T11:00:00Z", "Size": 5, "Id": "sha256:0", "Architecture": "amd64",
        "RootFS": {"Layers": ["a", "b"]},
        "Config": {"Labels": {docker.ROLE_LABEL: "jms", docker.PACKAGES_LABEL: label}},
    }  # fmt: skip
    monkeypatch.setattr(docker, "_inspect", lambda reference: found)
    shown = docker.DOCKER_IMAGES.show("labctl/jms:1")
    assert checked("images-show", {**shown, "users": ["lab demo"], "kind": "container"})
    assert shown["packages"] == packages_to_json(parse_label(label))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_unknown_is_valid(name: str) -> None:
    """A schema that lets everything pass would check nothing."""
    for data in (3, "x", {"unknown": 3}, [{"unknown": 3}]):
        assert not validator(name).is_valid(data), data
