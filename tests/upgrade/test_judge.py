"""What a node was like before and after apt, and what people would have to know of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from labctl.node.sections import Sections
from labctl.topology.model import VNode
from labctl.topology.roles import BRIDGE, JICOFO, NGINX, VNODE
from labctl.upgrade.install import AptRun
from labctl.upgrade.judge import judge_run
from labctl.upgrade.model import Observation, Symptom
from labctl.upgrade.snapshot import Snapshot, parse_snapshot

CONF = "/etc/jitsi/jicofo/logging.properties"
OLD = Snapshot(
    versions={"jicofo": "1", "jitsi-videobridge2": "1", "jitsi-meet-web-config": "1"},
    conffiles={CONF: "jicofo"},
    files={CONF: "aa", "/etc/jitsi/jicofo/config": "bb"},
    starts={"jicofo.service": 1, "jitsi-videobridge2.service": 2},
    seen=frozenset({"jitsi-videobridge/jvb-hostname"}),
)
NEW = replace(
    OLD,
    versions={**OLD.versions, "jicofo": "2"},
    starts={**OLD.starts, "jicofo.service": 2},
)

CLEAN = AptRun(0, "")


def judge(
    run: AptRun = CLEAN, *, after: Snapshot = NEW, ours: frozenset[str] = frozenset()
) -> tuple[Observation, ...]:
    return judge_run(
        run,
        node="jms",
        what="upgrade jms",
        before=OLD,
        after=after,
        units=(JICOFO, BRIDGE, NGINX),
        ours=ours,
    )


def symptoms(found: tuple[Observation, ...]) -> list[Symptom]:
    return [each.symptom for each in found]


def test_a_clean_upgrade_has_nothing_to_tell() -> None:
    assert judge() == ()


@pytest.mark.parametrize(
    ("starts", "symptom"), [(1, Symptom.NOT_RESTARTED), (3, Symptom.RESTARTED)]
)
def test_a_unit_starts_once(starts: int, symptom: Symptom) -> None:
    (found,) = judge(after=replace(NEW, starts={**NEW.starts, "jicofo.service": starts}))
    assert (found.symptom, found.subject, found.package) == (symptom, "jicofo.service", "jicofo")
    assert not found.ours


def test_a_unit_whose_package_did_not_change_may_do_as_it_likes() -> None:
    after = replace(NEW, starts={**NEW.starts, "jitsi-videobridge2.service": 9})
    assert judge(after=after) == ()


def test_what_is_only_reloaded_need_not_restart() -> None:
    after = replace(NEW, versions={**NEW.versions, "jitsi-meet-web-config": "2"})
    assert judge(after=after) == ()


def test_packages_do_not_know_of_vnodes() -> None:
    before = Snapshot(versions={"jitsi-meet-prosody": "1"})
    after = Snapshot(versions={"jitsi-meet-prosody": "2"})
    unit = VNODE.of_vnode(VNode(1))
    (found,) = judge_run(
        AptRun(0, ""), node="v", what="x", before=before, after=after, units=(unit,)
    )
    assert (found.symptom, found.ours) == (Symptom.NOT_RESTARTED, True)


def test_nothing_is_said_of_restarts_after_a_first_installation() -> None:
    before = Snapshot()
    found = judge_run(
        AptRun(0, ""), node="jms", what="x", before=before, after=NEW, units=(JICOFO,)
    )
    assert found == ()


@pytest.mark.parametrize("ours", [True, False])
def test_whose_fault_a_question_about_a_conffile_is(*, ours: bool) -> None:
    run = AptRun(0, "", conffiles=((CONF, "jicofo"),))
    (found,) = judge(run, ours=frozenset({CONF} if ours else ()))
    assert (found.symptom, found.subject, found.package) == (Symptom.CONFFILE, CONF, "jicofo")
    assert found.ours is ours


def test_only_questions_that_nobody_has_answered_are_new() -> None:
    asked = ("jitsi-videobridge/jvb-hostname", "jicofo/new", "tzdata/Areas")
    (found,) = judge(AptRun(0, "", asked=asked))
    assert (found.symptom, found.subject) == (Symptom.QUESTION, "jicofo/new")


@pytest.mark.parametrize("name", [".dpkg-dist", ".dpkg-old", ".ucf-dist"])
def test_files_that_are_left_are_named_with_their_package(name: str) -> None:
    after = replace(NEW, files={**NEW.files, f"{CONF}{name}": "cc"})
    (found,) = judge(after=after)
    assert (found.symptom, found.package) == (Symptom.LEFT_OVER, "jicofo")
    assert found.subject == f"{CONF}{name}"


@pytest.mark.parametrize(("files", "verb"), [({CONF: "aa"}, "removed"), ({}, "removed")])
def test_files_of_the_lab_that_scripts_take_away(files: dict[str, str], verb: str) -> None:
    after = replace(NEW, files=files)
    found = judge(after=after, ours=frozenset({"/etc/jitsi/jicofo/config"}))
    assert symptoms(found) == [Symptom.CHANGED]
    assert verb in found[0].text


def test_files_of_packages_may_change() -> None:
    assert judge(after=replace(NEW, files={**NEW.files, CONF: "zz"})) == ()


def test_a_failed_script_says_nothing_of_restarts() -> None:
    after = replace(NEW, starts=OLD.starts)
    assert symptoms(judge(AptRun(100, "x"), after=after)) == [Symptom.FAILED]


def test_a_snapshot_is_read() -> None:
    started = json.dumps({"UNIT": "jicofo.service"})
    found = parse_snapshot(
        Sections(
            {
                "versions": "installed\tjicofo\t1.0\nconfig-files\tgone\t0.9\n"
                "half-configured\tbroken\t2.0\n",
                "conffiles": f"Package: jicofo\n {CONF} 123\nPackage: other\n\n",
                "files": f"aa  {CONF}\nbb  /etc/a  b\n",
                "starts": f"{started}\n{started}\n{{cut\n",
                "seen": "jicofo/jicofo-authpassword\n\n",
            }
        )
    )
    assert found == Snapshot(
        {"jicofo": "1.0", "broken": "2.0"},
        {CONF: "jicofo"},
        {CONF: "aa", "/etc/a  b": "bb"},
        {"jicofo.service": 2},
        frozenset({"jicofo/jicofo-authpassword"}),
    )
