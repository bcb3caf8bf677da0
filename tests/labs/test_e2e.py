"""A WebdriverIO suite on the lab of this folder: Chromium, its driver, a call through a bridge."""

from __future__ import annotations

import base64
import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.labs.conftest import ROOT, Lab, NpmCi

pytestmark = [pytest.mark.lab, pytest.mark.browser]

PAGE = ROOT / "labctl" / "browser" / "page"
WEB = "/usr/share/jitsi-meet/static"
"""The only folders that are no tenants are those of the web application's own files."""
FOLDER = "labctl-participant"


@pytest.fixture
def page(lab: Lab) -> Iterator[None]:
    """labctl's own page on the lab's web server, where the web application of Jitsi would be."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(PAGE, arcname=FOLDER)
    text = base64.b64encode(packed.getvalue()).decode()
    on_jms = ("exec", "jms", "--", "sudo", "sh", "-c")
    lab.run(*on_jms, f"mkdir -p {WEB} && echo {text} | base64 -d | tar xz --no-same-owner -C {WEB}")
    yield
    lab.run(*on_jms, f"rm -r {WEB}/{FOLDER}")


@pytest.mark.usefixtures("page")
def test_a_suite_is_run_and_reported(lab: Lab, npm_ci: NpmCi, tmp_path: Path) -> None:
    out = tmp_path / "out"
    suite = str(npm_ci.want())
    words = ("--suite", suite, "--browsers", "2", "--report", str(out), "--json")
    ended = lab.run("e2e", *words, check=False)
    assert ended.code == 1, ended.err
    told = ended.json()
    specs = {spec["name"]: spec for spec in told["specs"]}
    assert {name: spec["outcome"] for name, spec in specs.items()} == {
        "call/two": "passed",
        "ways/crowd": "not run",
        "ways/fails": "failed",
        "ways/flaky": "flaky",
    }, ended.err
    assert told["stand_ins"], "what passes on stand-ins is not said of Jitsi's software"

    # Certificates were verified, and the suite knew that the lab has no TURN server.
    *_, call = specs["call/two"]["attempts"]
    assert [case["outcome"] for case in call["cases"]] == ["passed", "passed", "skipped"]
    assert "3 browsers" in specs["ways/crowd"]["reason"]

    # A failure has its picture, and the log lines of the nodes from its time.
    broken = specs["ways/fails"]
    first, _ = (one for one in broken["attempts"] if not one["disturbed"])
    (message,) = (case["message"] for case in first["cases"])
    assert "another room: p1" in message
    (picture,) = (name for name in first["files"] if name.endswith("/p1.png"))
    assert (out / picture).read_bytes().startswith(b"\x89PNG")
    room = re.search(r'Received: "(e2e-\w+): p1"', message)
    assert room is not None
    said = [(line["source"], line["text"]) for line in broken["excerpt"]["lines"]]
    assert any(source == "jicofo" and room[1] in text for source, text in said), said

    junit = ElementTree.parse(out / "e2e.xml").getroot()
    assert len(junit.findall(".//failure")) == 1
    assert "data:image/png;base64," in (out / "e2e.html").read_text()
    assert json.loads((out / "e2e.json").read_text()) == told
