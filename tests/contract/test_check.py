"""The script for a node, its answers, and a check in words."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest

from labctl.contract.check import (
    NO_CONFERENCE,
    ContractCheck,
    ContractFinding,
    check_lab,
)
from labctl.contract.probe import render_script, with_names
from labctl.contract.report import ContractRecord, record_check, render_contract
from labctl.contract.table import ContractEntry, EntryKind, load_table
from labctl.core.progress import silent
from labctl.node.sections import parse_sections
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Role, Spec
from labctl.topology.versions import Versions
from labctl.topology.workdir import Workdir
from tests.fakes.nodes import ANY, FakeNodes

TOPOLOGY = resolve(Spec())
LAB = Lab(Workdir.of("demo"), TOPOLOGY)


def entry(name: str, kind: EntryKind, **what: object) -> ContractEntry:
    return ContractEntry(name, "jicofo", kind, "docs/facts/packages.md, 2", what, frozenset(Role))


@pytest.mark.programs
def test_no_entry_disturbs_the_next_one(tmp_path: object) -> None:
    entries = [
        entry("a.eats", EntryKind.EXIT, command="cat; exit 3", status=3),
        entry("a.file", EntryKind.FILE, path=f"{tmp_path}", contains="x"),
        entry("a.log", EntryKind.LOG, file="/nowhere.log", message="it's"),
        entry("a.last", EntryKind.EXIT, command="echo {domain}", status=0),
    ]
    script = render_script(entries, LAB, offsets={})
    done = subprocess.run(
        ["sh", "-s"], input=script.text, capture_output=True, text=True, check=False
    )
    answers = parse_sections(done.stdout).texts
    assert answers["a.eats"].split() == ["exit", "3"]
    assert answers["a.file"].startswith("directory|")
    assert answers["a.last"].split() == [TOPOLOGY.domain, "exit", "0"]


@pytest.mark.programs
def test_the_whole_table_is_shell() -> None:
    script = render_script(load_table(), LAB, offsets={}).text
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    assert "{domain}" not in script and "{packaged}" not in script and "{image}" not in script


def test_names_are_put_in_and_shell_braces_stay() -> None:
    assert with_names("a {domain} %{http_code} ${x}", TOPOLOGY) == (
        f"a {TOPOLOGY.domain} %{{http_code}} ${{x}}"
    )


def test_a_difference_is_told_once_with_its_nodes_and_source() -> None:
    one = entry("a.file", EntryKind.FILE, path="/x")
    findings = [ContractFinding(one, node, ("'/x' does not exist",)) for node in ("jvb1", "jvb2")]
    good = ContractFinding(replace(one, id="a.good"), "jms")
    checked = ContractCheck(
        (*findings, good), {"a.v": "no vnode"}, {"jms": {"jicofo": "0~standin1"}}
    )
    text = render_contract(checked)
    assert text.count("'/x' does not exist") == 1
    assert "a.file on jvb1, jvb2" in text and "source: docs/facts/packages.md, 2" in text
    assert "1 of 2 entries hold." in text and "STAND-IN" in text
    assert "not checked: a.v: no vnode" in text
    record = record_check(checked, lab="x")
    data = json.loads(json.dumps(record.to_json()))
    assert ContractRecord.from_json(data) == record
    assert not data["good"] and len(data["entries"]) == 3


OLD, NEW = "2.3-277-g6708140e0-1", "2.3-312-ga29d97d13-1"


@pytest.mark.parametrize(
    ("version", "due", "worse"),
    [(OLD, {"jvb.old"}, True), (NEW, {"jvb.new"}, False), ("0~standin1", {"jvb.new"}, False)],
)
def test_packages_are_judged_by_what_their_version_does(
    lab: Lab, nodes: FakeNodes, version: str, due: set[str], *, worse: bool
) -> None:
    """The fake nodes answer nothing else, so every entry that is due differs."""
    nodes.says(ANY, {"versions": f"jitsi-videobridge2 {version} ii \n"}, to="section versions")
    entries = [
        replace(entry(name, EntryKind.EXIT, command="x", status=0), versions=versions)
        for name, versions in (
            ("jvb.old", Versions("jitsi-videobridge2", until="2.3-293")),
            ("jvb.new", Versions("jitsi-videobridge2", since="2.3-294")),
        )
    ]
    entries = [replace(each, package="jitsi-videobridge2") for each in entries]
    checked = check_lab(lab, entries, progress=silent)
    assert {finding.entry.id for finding in checked.findings} == due
    text = render_contract(checked)
    said = "jvb.new: from jitsi-videobridge2 2.3-294 on"
    assert (said in text) is worse
    assert not checked.skipped
    record = record_check(checked, lab="x")
    data = json.loads(json.dumps(record.to_json()))
    assert ContractRecord.from_json(data) == record
    assert set(data["not_due"]) == {"jvb.old", "jvb.new"} - due


def test_a_conference_that_fails_is_told_once() -> None:
    one = entry("a.talk", EntryKind.LOG, file="/x", message="y")
    findings = [
        ContractFinding(replace(one, id=f"a.talk-{index}"), "participants", (NO_CONFERENCE,))
        for index in range(3)
    ]
    checked = ContractCheck(
        tuple(findings), {}, {}, "Participant 'x' did not join. Last frame: <iq/>"
    )
    text = render_contract(checked)
    assert text.count(NO_CONFERENCE) == 1 and "so 3 entries do not hold" in text
    assert "did not join" in text and "<iq/>" not in text
    assert "0 of 3 entries hold." in text
