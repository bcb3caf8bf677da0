"""`labctl drift`, over nodes that pretend."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from labctl.cli.drift import drift_command
from labctl.drift.read import KEPT
from labctl.topology.lab import Lab
from tests.fakes.nodes import ANY, FakeNodes

FILES, UNITS = 'section "$file"', 'section "$unit"'
KEYS = ("/etc/jitsi/jicofo/jicofo.conf", "/etc/jitsi/videobridge/jvb.conf")


@pytest.fixture(autouse=True)
def alike(lab: Lab, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Nodes on which both sides are the same; the texts of the files."""
    monkeypatch.setattr("labctl.cli.common.Workdir.of", lambda name: lab.folder)
    monkeypatch.setattr("labctl.drift.measure.ensure_config", lambda lab: None)
    texts = {f"{side}{path}": "a = 1\n" for side in ("", KEPT) for path in KEYS}
    nginx = ("/etc/nginx/nginx.conf", "/etc/nginx/sites-available/")
    texts |= {f"{side}{nginx[0]}": "events { }\n" for side in ("", KEPT)}
    texts[f"{nginx[1]}{lab.topology.domain}.conf"] = "server { listen 80; }\n"
    texts[f"{KEPT}{nginx[1]}image.labctl.invalid.conf"] = "server { listen 80; }\n"
    nodes.says(ANY, texts, to=FILES)
    nodes.says(ANY, {}, to=UNITS)
    nodes.says("jms", "{}\n{}\n", to="lua5.4 -")
    return texts


def run(*words: str) -> Any:
    return CliRunner().invoke(drift_command, ["--lab", "demo", *words], standalone_mode=False)


def test_nothing_differs() -> None:
    done = run()
    assert (done.exception, done.return_value) == (None, 0)
    assert "0 differences that nobody has reviewed." in done.stdout


def test_an_area_that_cannot_be_read_is_told_and_is_no_success(
    nodes: FakeNodes, alike: dict[str, str]
) -> None:
    nodes.says("jms", {**alike, KEYS[0]: "a = [ 1, }\n"}, to=FILES)
    done = run()
    assert done.return_value == 1
    assert f"Not compared on jms: jicofo, because '{KEYS[0]}' is not HOCON" in done.stdout
    found = json.loads(run("--json").stdout)["skipped"]
    assert {(it["node"], it["area"]): it["expected"] for it in found} == {
        ("jms", "jicofo"): False,
        ("visitors1", "prosody"): True,
    }
