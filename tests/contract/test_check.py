"""The script for a node, its answers, and a check in words."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from labctl.contract.check import NO_CONFERENCE, Checked, Finding
from labctl.contract.probe import parse_answers, render_script, with_names
from labctl.contract.report import contract_data, render_contract
from labctl.contract.table import Entry, Kind, load_table
from labctl.layout import resolve
from labctl.model import Role, Spec

TOPOLOGY = resolve(Spec())


def entry(name: str, kind: Kind, **what: object) -> Entry:
    return Entry(name, "jicofo", kind, "facts jicofo-jvb 1", what, frozenset(Role))


@pytest.mark.programs
def test_no_entry_disturbs_the_next_one(tmp_path: object) -> None:
    entries = [
        entry("a.eats", Kind.EXIT, command="cat; exit 3", status=3),
        entry("a.file", Kind.FILE, path=f"{tmp_path}", contains="x"),
        entry("a.log", Kind.LOG, file="/nowhere.log", message="it's"),
        entry("a.last", Kind.EXIT, command="echo {domain}", status=0),
    ]
    script = render_script(entries, topology=TOPOLOGY, offsets={})
    done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, check=False)
    answers = parse_answers(done.stdout)
    assert answers["a.eats"].split() == ["exit", "3"]
    assert answers["a.file"].startswith("directory|")
    assert answers["a.last"].split() == [TOPOLOGY.domain, "exit", "0"]


@pytest.mark.programs
def test_the_whole_table_is_shell() -> None:
    script = render_script(load_table(), topology=TOPOLOGY, offsets={})
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    assert "{domain}" not in script and "{packaged}" not in script and "{image}" not in script


def test_names_are_put_in_and_shell_braces_stay() -> None:
    assert with_names("a {domain} %{http_code} ${x}", TOPOLOGY) == (
        f"a {TOPOLOGY.domain} %{{http_code}} ${{x}}"
    )


def test_a_difference_is_told_once_with_its_nodes_and_source() -> None:
    one = entry("a.file", Kind.FILE, path="/x")
    findings = [Finding(one, node, ("'/x' is not there",)) for node in ("jvb1", "jvb2")]
    good = Finding(replace(one, id="a.good"), "jms")
    checked = Checked((*findings, good), {"a.v": "no vnode"}, {"jms": {"jicofo": "0~standin1"}})
    text = render_contract(checked)
    assert text.count("'/x' is not there") == 1
    assert "a.file on jvb1, jvb2" in text and "source: facts jicofo-jvb 1" in text
    assert "1 of 2 entries hold." in text and "STAND-IN" in text
    assert "not checked: a.v: no vnode" in text
    data = contract_data(checked, lab="x")
    assert not data["good"] and len(data["entries"]) == 3


def test_a_conference_that_fails_is_told_once() -> None:
    one = entry("a.talk", Kind.LOG, file="/x", message="y")
    findings = [
        Finding(replace(one, id=f"a.talk-{index}"), "participants", (NO_CONFERENCE,))
        for index in range(3)
    ]
    checked = Checked(tuple(findings), {}, {}, "Participant 'x' did not join. Last frame: <iq/>")
    text = render_contract(checked)
    assert text.count(NO_CONFERENCE) == 1 and "so 3 entries do not hold" in text
    assert "did not join" in text and "<iq/>" not in text
    assert "0 of 3 entries hold." in text
