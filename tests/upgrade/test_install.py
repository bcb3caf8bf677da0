"""apt on a node: what is sent, what it said, which question would have been asked."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import pytest

from labctl.node.seam import SlowNodeError
from labctl.node.sections import Sections
from labctl.topology.lab import Lab
from labctl.upgrade.install import (
    KEEP_CONFFILES,
    AptRun,
    failure_of,
    install,
    parse_run,
    purge,
    send,
)
from labctl.upgrade.model import Symptom
from tests.fakes.nodes import FakeNodes, Ran

ASKED_BY_DPKG = """\
Setting up jicofo (1.0-1196-1) ...

Configuration file '/etc/jitsi/jicofo/logging.properties'
 ==> Modified (by you or by a script) since installation.
 ==> Package distributor has shipped an updated version.
"""
STOPPED = ASKED_BY_DPKG + (
    "*** logging.properties (Y/I/N/O/D/Z) [default=N] ? dpkg: error processing package jicofo"
    " (--configure):\n end of file on stdin at conffile prompt\n"
)
SCRIPT = """\
Setting up jitsi-meet-tokens (1.0.1-1) ...
no token for you
dpkg: error processing package jitsi-meet-tokens (--configure):
 installed jitsi-meet-tokens package post-installation script subprocess returned error exit \
status 1
Errors were encountered while processing:
 jitsi-meet-tokens
"""


def said(output: str = "", *, code: str = "0", asked: str = "") -> Sections:
    return Sections({"asked": asked, "output": output, "code": code, "end": ""})


def test_a_run_that_went_well() -> None:
    assert parse_run(said("Setting up jicofo ...\n")) == AptRun(0, "Setting up jicofo ...\n")


def test_an_answer_that_is_cut_off_is_a_failure() -> None:
    assert not parse_run(Sections({"output": "Setting up"})).done


def test_a_question_about_a_conffile_is_named_with_its_package() -> None:
    found = parse_run(said(ASKED_BY_DPKG))
    assert found.conffiles == (("/etc/jitsi/jicofo/logging.properties", "jicofo"),)


def test_questions_of_debconf_are_named_once() -> None:
    line = "<-- INPUT critical jitsi-videobridge/jvb-hostname\n"
    assert parse_run(said(asked=line * 2)).asked == ("jitsi-videobridge/jvb-hostname",)


def test_a_script_that_fails_is_named_with_what_it_said() -> None:
    found = failure_of(parse_run(said(SCRIPT, code="100")), node="jms", what="install x")
    assert found is not None
    assert (found.symptom, found.package) == (Symptom.FAILED, "jitsi-meet-tokens")
    assert "post-installation script" in found.text
    assert "exit status 1" in found.text
    assert "no token for you" in found.evidence


def test_a_question_that_nobody_answers_is_no_failing_script() -> None:
    assert failure_of(parse_run(said(STOPPED, code="100")), node="jms", what="x") is None


def test_what_has_no_cause_is_a_failure_all_the_same() -> None:
    found = failure_of(AptRun(100, ""), node="jms", what="x")
    assert found is not None
    assert "exit status 100" in found.text


def test_files_that_a_node_has_are_not_sent_again(
    lab: Lab, nodes: FakeNodes, tmp_path: Path
) -> None:
    for name in ("a_1_all.deb", "b_1_all.deb"):
        (tmp_path / name).write_bytes(b"!<arch>\n\x00\xff")
    nodes.says("jms", "a_1_all.deb\n", to="ls -1")
    nodes.says("jms", to="base64 -d")
    send(lab, "jms", [tmp_path / "a_1_all.deb", tmp_path / "b_1_all.deb"])
    (sent,) = nodes.ran_on("jms", "base64 -d")
    assert "b_1_all.deb" in sent.text
    assert b64decode(sent.stdin or "") == b"!<arch>\n\x00\xff"


@pytest.mark.parametrize(
    ("conffiles", "answered", "there", "missing"),
    [
        ((), False, "install ./a.deb", "force-conf"),
        (KEEP_CONFFILES, False, "Dpkg::Options::=--force-confold", "NONINTERACTIVE_SEEN"),
        ((), True, "DEBCONF_NONINTERACTIVE_SEEN=true", "force-conf"),
    ],
)
def test_how_apt_is_called(
    lab: Lab,
    nodes: FakeNodes,
    conffiles: tuple[str, ...],
    *,
    answered: bool,
    there: str,
    missing: str,
) -> None:
    nodes.says("jms", {"output": "", "code": "0"}, to="apt-get")
    assert install(lab, "jms", [Path("/x/a.deb")], conffiles=conffiles, answered=answered).done
    (ran,) = nodes.ran_on("jms", "apt-get")
    assert there in ran.text
    assert missing not in ran.text
    assert "DEBIAN_FRONTEND=noninteractive" in ran.text
    assert ran.sudo


def test_an_apt_that_does_not_end_is_named_with_its_last_package(
    lab: Lab, nodes: FakeNodes
) -> None:
    def slow(ran: Ran) -> str:
        raise SlowNodeError(ran.node, "apt", seconds=1200)

    nodes.says("jms", slow, to="apt-get --yes")
    said = {"output": "Setting up jicofo (1) ...\nSetting up other (1) ...\n", "code": "124\n"}
    nodes.says("jms", said, to="pkill -KILL -x apt-get")
    found = failure_of(install(lab, "jms", [Path("/x/a.deb")]), node="jms", what="install a")
    assert found is not None
    assert (found.symptom, found.package) == (Symptom.HANGS, "other")
    assert found.evidence[-1].startswith("Setting up other")


def test_purge_names_packages(lab: Lab, nodes: FakeNodes) -> None:
    nodes.says("jms", {"output": "", "code": "0"}, to="purge jicofo jitsi-meet")
    assert purge(lab, "jms", ["jicofo", "jitsi-meet"]).done
