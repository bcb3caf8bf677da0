"""Manifests become checked values, or a problem that says what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from provision.manifest import load_manifest, parse_manifest
from provision.problem import NodeProblem

FILE = {
    "path": "/etc/x.conf",
    "owner": "root",
    "group": "prosody",
    "mode": "0640",
    "sha256": "ab" * 32,
}
UNIT = {"name": "x.service", "stage": 1, "change": "restart", "when": ["/etc/x.conf"]}


def test_values() -> None:
    data = {
        "node": "jms",
        "files": [FILE],
        "dirs": [{"path": "/var/lib/x", "owner": "x", "group": "x", "mode": "0750"}],
        "links": [{"path": "/etc/y", "target": "../x"}],
        "absent": ["/etc/z"],
        "commands": [{"run": "true", "when": ["/etc/*"]}],
        "units": [{**UNIT, "ports": [5222]}],
    }
    manifest = parse_manifest(json.dumps(data), node="jms")
    assert manifest.files[0].mode == 0o640
    assert manifest.dirs[0].path == "/var/lib/x"
    assert manifest.targets == {"/etc/y": "../x"}
    assert manifest.units[0].ports == (5222,)
    assert manifest.text.endswith("\n")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param("{", "is wrong", id="not JSON"),
        pytest.param("[]", "is wrong", id="not an object"),
        pytest.param({}, "lacks 'node'", id="no node"),
        pytest.param({"files": [{**FILE, "path": "etc/x"}]}, "absolute path", id="relative"),
        pytest.param({"files": [{**FILE, "path": "/a/../b"}]}, "absolute path", id="dots"),
        pytest.param({"files": [{**FILE, "path": "/a\tb"}]}, "holds a tab", id="tab"),
        pytest.param({"files": [{**FILE, "owner": "a b"}]}, "user or group", id="owner"),
        pytest.param({"files": [{**FILE, "mode": "rw"}]}, "is wrong", id="mode"),
        pytest.param({"units": [{**UNIT, "name": "x; reboot"}]}, "name of a unit", id="unit"),
        pytest.param({"units": [{**UNIT, "change": "kick"}]}, "'kick' is not", id="change"),
        pytest.param({"format": 2}, "its format is 2, not 1", id="of a newer labctl"),
    ],
)
def test_what_is_wrong_is_said(data: Any, expected: str) -> None:
    whole = data and isinstance(data, dict)
    text = data if isinstance(data, str) else json.dumps({"node": "a", **data} if whole else data)
    with pytest.raises(NodeProblem, match=expected):
        parse_manifest(text, node="a")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NodeProblem, match=r"Node 'a' \(inspect\): '.*manifest.json' is missing"):
        load_manifest(tmp_path / "manifest.json", node="a")
