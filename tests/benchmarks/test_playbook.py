"""The templates of the playbook come to the files that labctl renders, and hold no secret."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jinja2 import Environment, StrictUndefined

from benchmarks.playbook import BOOK, render_template, save_inventory
from labctl.lab.prepare import render_lab
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A rendered lab of two bridges and two vnodes."""
    lab = Lab(Workdir(tmp_path_factory.mktemp("lab") / "demo"), resolve(Spec(jvbs=2, visitors=2)))
    render_lab(lab)
    return lab


def test_what_looks_like_an_expression_stays_text() -> None:
    text = "a = {{1}}; {% b %} {# c #} secret"
    template = render_template(text, {"password": "secret"})
    assert "{{ password }}" in template
    assert Environment().from_string(template).render(password="secret") == text


def test_templates_come_to_what_labctl_renders(lab: Lab, tmp_path: Path) -> None:
    inventory = json.loads(save_inventory(lab, tmp_path).read_text())
    shared = inventory["all"]["vars"]
    # As Ansible's module 'template' does it.
    made = Environment(undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True)
    for group in inventory["all"]["children"].values():
        for node, host in group["hosts"].items():
            files = lab.folder.tree / node / "files"
            for path in (path for path in files.rglob("*") if path.is_file()):
                template = Path(host["texts"], path.relative_to(files)).read_text()
                assert made.from_string(template).render(shared) == path.read_text()


def test_no_template_has_a_password(lab: Lab, tmp_path: Path) -> None:
    save_inventory(lab, tmp_path)
    bridge = (tmp_path / "jvb1/etc/jitsi/videobridge/jvb.conf").read_text()
    assert 'PASSWORD = "{{ jvb_password }}"' in bridge
    assert "auth.{{ domain }}" in bridge


def test_the_playbook_uses_pipelining() -> None:
    assert "pipelining = True" in (BOOK / "ansible.cfg").read_text()


def test_the_playbook_places_every_file_that_labctl_renders(lab: Lab) -> None:
    """Else its end state is another one, which only a run of the benchmark would show."""
    tasks = "".join(file.read_text() for file in sorted(BOOK.glob("roles/*/tasks/main.yml")))
    # A variable stands for any text, but a path that is nothing else says nothing.
    written = {
        re.sub(r"{{.*?}}", "*", path) for path in re.findall(r'(?:- |: )"?([/{][^"\n]+)', tasks)
    }
    known = [
        re.compile(re.escape(path).replace(r"\*", ".+")) for path in written if path.strip("*/")
    ]
    files = {
        f"/{path.relative_to(folder)}"
        for node in lab.topology.nodes
        for folder in [lab.folder.tree / node.name / "files"]
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert {path for path in files if not any(one.fullmatch(path) for one in known)} == set()
    assert not any(one.fullmatch("/etc/prosody/conf.d/another.cfg.lua") for one in known)
