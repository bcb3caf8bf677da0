"""The report of a real lab in which a vnode was stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.core.waiting import Deadline, wait_until
from labctl.lab.report import load_secrets
from labctl.topology.workdir import Workdir
from tests.labs.conftest import Lab

pytestmark = pytest.mark.lab

UNIT = "prosody-v@2.service"


@pytest.fixture
def stopped_vnode(lab: Lab) -> Iterator[None]:
    lab.run("exec", "visitors1", "--", "sudo", "systemctl", "stop", UNIT)
    yield
    lab.run("exec", "visitors1", "--", "sudo", "systemctl", "start", UNIT)
    healthy = wait_until(
        lambda: lab.run("status", check=False).code == 0, deadline=Deadline.after(60), interval=0.5
    )
    assert healthy, lab.run("status", check=False).out


@pytest.mark.usefixtures("stopped_vnode")
def test_report_tells_what_broke(lab: Lab, tmp_path: Path) -> None:
    ended = lab.run("verify", "--report", str(tmp_path), "-m", "services", check=False)
    assert ended.code == 1, ended.err
    data = json.loads((tmp_path / "report.json").read_text())
    assert (data["verdict"], data["packages"]) == ("failed", "stand-ins")
    assert data["run"]["exit_status"] == 1
    assert "visitors1 units" in data["status"]["missing"]
    failure = next(
        it for it in data["failures"] if "active_and_enabled[visitors1-prosody-v@2]" in str(it)
    )
    lines = [*failure["excerpt"]["before"], *failure["excerpt"]["lines"]]
    said = {(line["node"], line["source"]) for line in lines if "v@2" in line["text"]}
    assert ("visitors1", "systemd") in said
    assert any(line["source"] == "jicofo" for line in lines), "Jicofo noticed it, too"
    assert data["timings"]["phases"].keys() >= {"machines", "provision", "ready"}
    secrets = load_secrets(Workdir(lab.path))
    assert secrets
    for name in ("report.html", "report.json", "junit.xml"):
        text = (tmp_path / name).read_text()
        assert not [secret for secret in secrets if secret in text], name
