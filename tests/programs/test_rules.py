"""Prometheus' own program reads its configuration, and tries the rules and alerts on faults."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from labctl.topology.spec import Spec
from tests.rendering import CASES, fixed_trees

pytestmark = pytest.mark.engine

FAULTS = Path(__file__).with_name("rules.yml")
RULES = "etc/prometheus/labctl.rules.yml"
CHECK = (
    "tar -x -C / && cd /etc/prometheus && promtool check config prometheus.yml && "
    "promtool check rules --lint-fatal labctl.rules.yml && promtool test rules rules.yml"
)


def files_of(spec: Spec) -> dict[str, str]:
    [tree] = [tree for tree in fixed_trees(spec) if tree.node == "monitoring"]
    found = {it.path.lstrip("/"): it.text for it in tree.files if "prometheus" in it.path}
    return found | {"etc/prometheus/rules.yml": FAULTS.read_text(encoding="utf-8")}


def ask_promtool(image: str, files: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return subprocess.run(
        ["docker", "run", "--rm", "-i", "--network", "none", image, "sh", "-c", CHECK],
        input=buffer.getvalue(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
    )


def test_promtool_accepts_the_rules_and_alerts_fire(monitoring_image: str) -> None:
    done = ask_promtool(monitoring_image, files_of(CASES["monitoring"]))
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("stress > 0.8", "stress > 0.95"), ("sum(up", "sum(upp"), ("expr: count(", "expr: count((")],
    ids=["threshold", "metric", "syntax"],
)
def test_promtool_refuses_rules_that_are_wrong(
    monitoring_image: str, right: str, wrong: str
) -> None:
    files = files_of(CASES["monitoring"])
    assert right in files[RULES]
    files[RULES] = files[RULES].replace(right, wrong)
    assert ask_promtool(monitoring_image, files).returncode != 0
