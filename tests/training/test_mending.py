"""What a node needs to be as it was: records in, a plan out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labctl.node.sections import parse_sections, render_sections
from labctl.render.tree import Unit
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.training.facts import Difference, Record, compare, parse_record
from labctl.training.mending import Mending, describe, find_left, plan_mending
from provision.manifest import Manifest, ManifestEntry

NODE = resolve(Spec(lab="demo", jvbs=1, visitors=2)).node("jvb1")
CONFIG = "/etc/jitsi/videobridge/jvb.conf"
ACCOUNT = "/var/lib/prosody/auth/accounts/jvb.dat"
MANIFEST = Manifest(
    "jvb1",
    files=(
        ManifestEntry(CONFIG, "jvb", "jitsi", 0o640, "1" * 64),
        ManifestEntry(ACCOUNT, "prosody", "prosody", 0o640, "2" * 64, kept=True),
    ),
    units=(Unit("jitsi-videobridge2.service", stage=2, when=(CONFIG,)),),
)
CLEAN = Record(
    {
        "paths": (f"{CONFIG}\t1", f"{ACCOUNT}\t1", "/etc/passwd\t1", "/etc/rc2.d/S01nginx\t1"),
        "contents": (f"{CONFIG}\tabc", f"{ACCOUNT}\tabc", "/etc/passwd\tabc"),
        "trees": ("/usr/lib\tabc",),
        "packages": ("jicofo\t1 ii",),
        "kernel": ("the firewall\tabc", "address 10.0.0.1/8\teth0"),
        "runs": ("jitsi-videobridge2.service\tone", "nftables.service\tone"),
    }
)


def now(**sections: tuple[str, ...]) -> Record:
    return replace(CLEAN, sections={**CLEAN.sections, **sections})


def plan(record: Record | None, *, drained: bool = False) -> Mending:
    return plan_mending(NODE, MANIFEST, CLEAN, record, drained=drained)


def test_a_node_as_it_was_needs_nothing() -> None:
    assert plan(CLEAN) == Mending()
    assert plan(CLEAN).lines == []


def test_a_placed_file_is_left_to_the_provisioner() -> None:
    assert (
        plan(now(contents=(f"{CONFIG}\tdef", f"{ACCOUNT}\tabc", "/etc/passwd\tabc"))) == Mending()
    )
    assert plan(now(paths=CLEAN.sections["paths"][1:])) == Mending()


def test_what_was_added_is_removed() -> None:
    found = plan(
        now(paths=(*CLEAN.sections["paths"], "/etc/prosody-v9\t1", "/etc/prosody-v9/x\t1"))
    )
    assert found.drop == ("/etc/prosody-v9", "/etc/prosody-v9/x")
    assert found.lines == ["drop\t/etc/prosody-v9", "drop\t/etc/prosody-v9/x"]


def test_a_changed_account_is_removed_because_it_is_placed_only_where_it_is_missing() -> None:
    found = plan(now(contents=(f"{CONFIG}\tabc", f"{ACCOUNT}\tdef", "/etc/passwd\tabc")))
    assert found == Mending(drop=(ACCOUNT,))


def test_links_of_enabled_units_are_left_to_the_provisioner() -> None:
    paths = (*CLEAN.sections["paths"][:3], "/etc/rc2.d/K01nginx\t1")
    assert plan(now(paths=paths)) == Mending()


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"trees": ("/usr/lib\tdef",)}, "/usr/lib is changed"),
        ({"packages": ("jicofo\t2 ii",)}, "jicofo is changed"),
        ({"contents": CLEAN.sections["contents"][:2]}, "/etc/passwd is gone"),
        ({"kernel": ("the firewall\tabc",)}, "address 10.0.0.1/8 is gone"),
    ],
    ids=["files of packages", "packages", "a file that nobody places", "an address"],
)
def test_what_nobody_can_put_back_needs_a_new_node(
    changed: dict[str, tuple[str, ...]], why: str
) -> None:
    assert plan(now(**changed)).anew == why


def test_a_node_that_is_silent_or_unknown_is_made_anew() -> None:
    assert plan(None).anew == "it does not answer"
    assert plan_mending(NODE, MANIFEST, None, CLEAN).anew == "labctl has not seen it new"


def test_a_unit_that_was_started_again_starts_once_more() -> None:
    runs = ("jitsi-videobridge2.service\ttwo", "nftables.service\tone")
    assert plan(now(runs=runs)) == Mending(again=(CONFIG,))
    assert plan(CLEAN, drained=True) == Mending(again=(CONFIG,))


def test_rules_and_stopped_processes_are_mended() -> None:
    kernel = ("the firewall\tdef", "address 10.0.0.1/8\teth0", "process python3\tstopped")
    found = plan(now(kernel=kernel))
    assert found == Mending(again=("/etc/nftables.conf",), resume=True)
    assert found.lines == ["again\t/etc/nftables.conf", "continue\t-"]


def test_what_is_left_after_a_repair() -> None:
    changed = now(
        contents=(f"{CONFIG}\tdef", f"{ACCOUNT}\tabc", "/etc/passwd\tabc"),
        kernel=("the firewall\tdef", "address 10.0.0.1/8\teth0"),
        runs=(),
    )
    left = find_left(MANIFEST, CLEAN, changed)
    assert left == [Difference("kernel", "the firewall", before=True, now=True)]
    assert find_left(MANIFEST, CLEAN, CLEAN) == []


def test_a_few_differences_are_shown() -> None:
    every = [Difference("paths", f"/etc/{n}", before=True, now=False) for n in range(5)]
    assert describe(every) == "/etc/0 is gone, /etc/1 is gone, /etc/2 is gone and 2 more"


def test_differences_tell_new_from_gone_and_changed() -> None:
    before, after = Record({"a": ("x\t1", "y\t1")}), Record({"a": ("y\t2", "z\t1")})
    assert [(each.subject, each.before, each.now) for each in compare(before, after)] == [
        ("x", True, False),
        ("y", True, True),
        ("z", False, True),
    ]


def test_a_record_that_was_cut_off_does_not_count() -> None:
    said = {"paths": "/etc\t1\n", "end": ""}
    record = parse_record(parse_sections(render_sections(said)))
    assert record == Record({"paths": ("/etc\t1",)})
    assert parse_record(parse_sections(render_sections({"paths": "/etc\t1\n"}))) is None
