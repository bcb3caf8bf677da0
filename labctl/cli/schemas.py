"""The JSON Schemas of everything that `--json` prints; docs/schemas/ has them as files.

Most follow from the types of what is printed.  A test checks real outputs against them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from labctl.cli import told
from labctl.contract.pairs import PackagePair
from labctl.contract.report import ContractRecord
from labctl.core.schema import Schema, SchemaMaker, object_of
from labctl.crowd.figures import Figures
from labctl.crowd.media.figures import KINDS, KindFigures, MediaFigures
from labctl.crowd.record import CrowdRecord
from labctl.crowd.spread import Spread
from labctl.drift.report import Drift, DriftEntry
from labctl.gate.bisected import BisectResult
from labctl.gate.certainty import Pair, TimingVerdict
from labctl.gate.model import Gate
from labctl.gate.timing import Summary, Timing
from labctl.graph.facts import GraphFacts
from labctl.lab.deployment import Deployment
from labctl.lab.plan import UpPlan
from labctl.lab.rotation import Rotation
from labctl.lab.secretuses import SecretFacts
from labctl.live.model import Snapshot
from labctl.report.blip import BlipRecord
from labctl.report.drill import DrillRecord
from labctl.report.e2e import E2eRecord
from labctl.report.metrics import MetricNamesRecord, MetricRecord, MetricsRecord
from labctl.report.model import Report
from labctl.report.status import Status
from labctl.spec.explain import KeyFacts
from labctl.spec.starters import Starter
from labctl.topology.model import Topology
from labctl.training.progress import ScoreRecord
from labctl.training.session import Hint

NUMBER: Schema = {"type": "number"}
TEXT: Schema = {"type": "string"}
FORMAT: Schema = {"type": "integer", "minimum": 1, "description": "Of what was printed."}
OBJECT: Schema = {"type": "object"}


@dataclass(frozen=True, slots=True)
class Printed:
    """What one verb prints with `--json`: the words that print it, and how its schema is made."""

    words: str
    make: Callable[[SchemaMaker], Schema]


def all_schemas() -> Iterator[tuple[str, Schema]]:
    """Name and schema of everything that is printed."""
    for name, printed in PRINTED.items():
        maker = SchemaMaker()
        yield name, maker.document(printed.make(maker), title=f"labctl {printed.words}")


def _whole(kind: type) -> Callable[[SchemaMaker], Schema]:
    return lambda maker: maker.object(kind)


def _list(kind: type) -> Callable[[SchemaMaker], Schema]:
    return lambda maker: {"type": "array", "items": maker.schema(kind)}


def _map(kind: type) -> Callable[[SchemaMaker], Schema]:
    return lambda maker: maker.schema(Mapping[str, kind])  # type: ignore[valid-type]


def _record(kind: type, **more: Schema) -> Callable[[SchemaMaker], Schema]:
    """A record with its format, and with what it computes."""
    return lambda maker: _with(maker.object(kind), {"format": FORMAT, **more})


def _with(schema: Schema, properties: Mapping[str, Schema]) -> Schema:
    merged = {**properties, **schema["properties"]}
    return object_of(merged, description=schema.get("description", ""))


def _optional(schema: Schema, *names: str) -> Schema:
    """The same object, in which these properties may be left out."""
    required = [name for name in schema["required"] if name not in names]
    return {**schema, "required": required}


def _drift(maker: SchemaMaker) -> Schema:
    """What nobody has reviewed has no reason."""
    whole = _with(maker.object(Drift), {"format": FORMAT})
    maker.definitions[DriftEntry.__name__] = _optional(maker.object(DriftEntry), "reason")
    return whole


def _crowd(maker: SchemaMaker) -> Schema:
    """The figures stand beside what was asked; kinds of media beside the other figures of it."""
    maker.special = {Figures: {}, MediaFigures: {}, KindFigures: {}}
    well: Mapping[str, Schema] = {"well": {"type": "boolean"}}
    kind = _fields(maker, KindFigures, without="gap")
    kinds = object_of({**kind, "loss": NUMBER, "longest_gap": maker.schema(Spread | None)})
    media = {**_fields(maker, MediaFigures, without="kinds"), **dict.fromkeys(KINDS, kinds)}
    figures = _fields(maker, Figures, without="media")
    asked = {**_fields(maker, CrowdRecord, without="figures"), "with_media": {"type": "integer"}}
    whole = object_of(
        {
            "format": FORMAT,
            **asked,
            **figures,
            **well,
            "media": _optional(object_of({**media, **well}), *KINDS),
        },
        description="A crowd that has left: what was asked, and the figures that came of it.",
    )
    return _optional(whole, "with_media", "media")


def _fields(maker: SchemaMaker, kind: type, *, without: str) -> dict[str, Schema]:
    """The schemas of a type's fields but one."""
    found: dict[str, Schema] = maker.object(kind)["properties"]
    return {name: schema for name, schema in found.items() if name != without}


def _browsers(maker: SchemaMaker) -> Schema:
    from labctl.browser.figures import Snapshot as Seen

    return object_of(
        {
            "lab": TEXT,
            "room": TEXT,
            "hold": NUMBER,
            "browsers": {"type": "array", "items": maker.schema(Seen)},
            "lacks": {"type": "object", "additionalProperties": TEXT},
        },
        description="Participants in browsers, and what each does not hear or see.",
    )


def _gate(maker: SchemaMaker) -> Schema:
    """Timings are printed with their medians."""
    timing = object_of(
        {
            "phase": TEXT,
            "candidate": maker.schema(Summary),
            "baseline": maker.schema(Summary | None),
            "pairs": {"type": "array", "items": maker.schema(Pair)},
            "verdict": maker.schema(TimingVerdict),
        }
    )
    maker.special = {Timing: timing}
    stand_ins: Schema = {"type": "array", "items": TEXT}
    more: dict[str, Schema] = {"exit_code": {"type": "integer"}, "stand_ins": stand_ins}
    return _with(maker.object(Gate), {"format": FORMAT, **more})


def _report(maker: SchemaMaker) -> Schema:
    """A lab's topology is what topology.json holds; its parts are the other records."""
    maker.special = {
        Topology: OBJECT,
        CrowdRecord: OBJECT,
        Status: OBJECT,
        DrillRecord: OBJECT,
        E2eRecord: OBJECT,
    }
    return _with(maker.object(Report), {"format": FORMAT})


def _image(maker: SchemaMaker) -> Schema:
    """Containers have layers, disks have files and a record of their boot."""
    common = {
        "reference": TEXT,
        "role": TEXT,
        "created": TEXT,
        "size": {"type": "integer"},
        "packages": {"type": "object", "additionalProperties": maker.schema(told.PackageTold)},
        "users": {"type": "array", "items": TEXT},
        "kind": TEXT,
    }
    file = object_of({"path": TEXT, "bytes": {"type": "integer"}, "sha256": TEXT})
    container = {"id": TEXT, "architecture": TEXT, "layers": {"type": "integer"}}
    disk = {"files": {"type": "array", "items": file}, "boot": OBJECT}
    return {"anyOf": [object_of({**common, **container}), object_of({**common, **disk})]}


def _plan(maker: SchemaMaker) -> Schema:
    """The plan says itself whether it is empty."""
    return _with(maker.object(UpPlan), {"empty": {"type": "boolean"}})


def _problems(maker: SchemaMaker) -> Schema:
    """What is wrong with each image; nothing if it is good."""
    return {"type": "object", "additionalProperties": {"type": "array", "items": TEXT}}


PRINTED: Mapping[str, Printed] = {
    "init": Printed("init --json", _whole(told.InitTold)),
    "init-list": Printed("init --list --json", _list(Starter)),
    "config-show": Printed("config show --json", _map(told.ValueTold)),
    "config-explain": Printed("config explain KEY --json", _whole(KeyFacts)),
    "config-explain-all": Printed("config explain --json", _list(KeyFacts)),
    "up": Printed("up --json", _whole(told.UpTold)),
    "up-count": Printed("up --count N --json", _whole(told.UpManyTold)),
    "build": Printed("build --json", _whole(told.BuildTold)),
    "render": Printed("render --json", _whole(told.RenderTold)),
    "status": Printed("status --json", _record(Status)),
    "watch": Printed("watch --json", _record(Snapshot)),
    "plan": Printed("plan --json", _plan),
    "plan-participants": Printed("plan --participants N --json", _whole(Deployment)),
    "graph": Printed("graph --json", _whole(GraphFacts)),
    "capture": Printed("capture NODE --json", _whole(told.CaptureTold)),
    "metrics": Printed("metrics --json", _whole(MetricsRecord)),
    "metrics-names": Printed("metrics --names --json", _whole(MetricNamesRecord)),
    "metrics-name": Printed("metrics NAME --json", _whole(MetricRecord)),
    "logs": Printed("logs --json", _whole(told.LogsTold)),
    "logs-node": Printed("logs NODE --json", _whole(told.NodeLogTold)),
    "doctor": Printed("doctor --json", _whole(told.DoctorTold)),
    "doctor-lab": Printed("doctor --lab --json", _whole(told.DoctorTold)),
    "report": Printed("report DIR --json", _report),
    "crowd": Printed("crowd --json", _crowd),
    "crowd-browsers": Printed("crowd --browsers N --json", _browsers),
    "e2e": Printed("e2e --json", _record(E2eRecord, sentence=TEXT)),
    "e2e-list": Printed("e2e --list --json", _list(told.SpecTold)),
    "drift": Printed("drift --json", _drift),
    "contract": Printed("contract --json", _record(ContractRecord)),
    "contract-pairs": Printed("contract --pairs --json", _list(PackagePair)),
    "drill-list": Printed("drill list --json", _list(told.DrillTold)),
    "drill-run": Printed(
        "drill run --json -",
        lambda maker: {"type": "array", "items": _record(DrillRecord)(maker)},
    ),
    "blip": Printed("blip --json", _record(BlipRecord)),
    "gate": Printed("gate --json", _gate),
    "gate-bisect": Printed(
        "gate bisect --json", _record(BisectResult, exit_code={"type": "integer"})
    ),
    "class-list": Printed("class list --json", _list(told.ExerciseTold)),
    "class-hint": Printed("class hint --json", _whole(Hint)),
    "class-check": Printed("class check --json", _whole(told.ClassCheckTold)),
    "class-score": Printed("class score --json", _list(ScoreRecord)),
    "bundle-write": Printed("bundle write DIR --json", _whole(told.BundleTold)),
    "bundle-verify": Printed("bundle verify DIR --json", _whole(told.BundleVerifiedTold)),
    "secrets-list": Printed("secrets list --json", _list(SecretFacts)),
    "secrets-rotate": Printed("secrets rotate --json", _whole(Rotation)),
    "secrets-rotate-plan": Printed("secrets rotate --dry-run --json", _list(SecretFacts)),
    "images-list": Printed("images list --json", _list(told.ImageTold)),
    "images-show": Printed("images show IMAGE --json", _image),
    "images-verify": Printed("images verify --json", _problems),
    "images-prune": Printed("images prune --json", _whole(told.PrunedTold)),
}
"""Everything that is printed, by the name of its schema."""
