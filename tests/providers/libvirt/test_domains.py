"""The domains of a lab as libvirt tells of them (recorded from virsh 9.0)."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.core.process import Result
from labctl.providers.libvirt import domains
from labctl.providers.libvirt.domains import (
    describe,
    domain_name,
    parse_domain,
    parse_states,
    read_states,
)
from labctl.topology.workdir import Workdir

RECORDED = (Path(__file__).parent / "recorded" / "domain.xml").read_text(encoding="utf-8")
LIST = """\
 1    labctl-vmtest-jms     running
 -    labctl-vmtest-jvb1    shut off
 -    labctl-vmtest2-jms    shut off
 7    labctl-vmtest-jvb2    in shutdown
 -    somebody's            paused
"""


def test_a_domain() -> None:
    domain = parse_domain(RECORDED)
    assert domain.name == domain_name("vmtest", "jvb1")
    assert domain.uuid == "3c052ec8-e0e4-450c-b1c1-7bcc22dadb6c"
    assert (domain.memory_mib, domain.cpus, domain.mac) == (2048, 1, "52:54:00:0a:87:fa")
    assert domain.image == "labctl-jvb-b7d5b2e659a0"
    assert domain.seed == "082b8e126a01e83d"
    assert domain.owner == "/home/ann/.lab/vmtest"
    assert [Path(file).name for file in domain.files] == [
        "labctl-vmtest-jvb1.img",
        "labctl-vmtest-jvb1-seed.iso",
    ]


def test_a_description_there_and_back(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    text = describe(image="labctl-jms-1", seed="0f", owner=folder)
    domain = parse_domain(f"<domain><name>x</name><description>{text}</description></domain>")
    assert (domain.image, domain.seed, domain.owner) == ("labctl-jms-1", "0f", str(folder))


def test_somebody_elses_domain_has_no_owner() -> None:
    domain = parse_domain("<domain><name>web</name><description>our shop</description></domain>")
    assert (domain.name, domain.owner, domain.image, domain.files) == ("web", "", "", ())


def test_states_of_the_lab_and_no_other() -> None:
    assert parse_states(LIST, lab="vmtest") == {
        "jms": "running",
        "jvb1": "stopped",
        "jvb2": "in shutdown",
    }


def test_machines_of_another_checkout_are_not_this_labs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Both have a lab 'vmtest', so names of domains are alike; 'halt' goes by what is found."""
    here, there = (
        Workdir.of("vmtest", root=tmp_path / "a"),
        Workdir.of("vmtest", root=tmp_path / "b"),
    )

    def dumpxml(*words: str) -> Result:
        owner = here if words[-1].endswith("jms") else there
        said = describe(image="i", seed="0", owner=owner.path)
        text = f"<domain><name>{words[-1]}</name><description>{said}</description></domain>"
        return Result(words, 0, text)

    monkeypatch.setattr(domains, "virsh", lambda *_: LIST)
    monkeypatch.setattr(domains, "ask", dumpxml)
    assert read_states(here) == {"jms": "running"}
    assert read_states(there) == {"jvb1": "stopped", "jvb2": "in shutdown"}
