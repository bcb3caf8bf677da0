"""Every rendered configuration, read by the real programs of Debian in an image of role jms."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pyhocon import ConfigFactory

from labctl.lab.prepare import render_lab
from labctl.render import Tree
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import MAX_VNODES, Spec
from labctl.topology.workdir import Workdir
from tests.programs.container import Check, ask_programs
from tests.rendering import CASES, fixed_trees

pytestmark = pytest.mark.engine

# What `Tree.node` must have been read by, whatever else was.
PROGRAMS = {
    "jms": {"luac", "prosodyctl", "hocon", "nginx", "nft", "systemd-analyze"},
    "jvb1": {"hocon", "nft"},
    "monitoring": {"nft"},
    "visitors1": {"luac", "prosodyctl", "nft", "systemd-analyze"},
}
BROKEN = {
    "luac": ("/etc/prosody/prosody.cfg.lua", 'VirtualHost "'),
    "prosodyctl": ("/etc/prosody/prosody.cfg.lua", 'Component "a.b" "no_such_module"\nx = ('),
    "hocon": ("/etc/jitsi/jicofo/jicofo.conf", "jicofo { a = [ 1, }"),
    "nginx": ("/etc/nginx/nginx.conf", "events { }\nhttp { no_such_directive on; }\n"),
    "nft": ("/etc/nftables.conf", "table inet x { chain y { tcp dport ssh acept } }\n"),
    "systemd-analyze": (
        "/etc/systemd/system/prosody-v@.service",
        "[Service]\nExecStart=no/absolute/path\n",
    ),
}


def plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key).strip('"'): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="session")
def answers(jms_image: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the programs say of a case; each case is asked once."""
    folder = tmp_path_factory.mktemp("programs")

    @cache
    def ask(case: str) -> tuple[list[Tree], list[Check]]:
        trees = render_lab(Lab(Workdir(Path(folder) / case), resolve(CASES[case])))
        return trees, ask_programs(jms_image, trees)

    return ask


@pytest.mark.parametrize("case", CASES)
def test_programs_accept_what_is_rendered(case: str, answers: Any) -> None:
    trees, checks = answers(case)
    refused = [
        f"{it.node} {it.program} {it.what}: {it.said}"
        for it in checks
        if it.status != 0 or (it.program == "systemd-analyze" and it.said)
    ]
    assert refused == []
    for tree in trees:
        asked = {it.program for it in checks if it.node == tree.node}
        if tree.node == "jms" and not any("@" in unit.name for unit in tree.units):
            assert asked >= PROGRAMS["jms"] - {"systemd-analyze"}
        else:
            assert asked == PROGRAMS[tree.node.replace("2", "1")]


@pytest.mark.parametrize("case", CASES)
def test_java_side_and_ours_read_the_same_hocon(case: str, answers: Any) -> None:
    """The packages' scripts read these files with Ruby's reader, labctl's tests with pyhocon."""
    trees, checks = answers(case)
    texts = {(tree.node, file.path): file.text for tree in trees for file in tree.files}
    found = [it for it in checks if it.program == "hocon"]
    assert found
    for it in found:
        path, _, key = it.what.partition(":")
        ours = plain(ConfigFactory.parse_string(texts[it.node, path])[key])
        assert json.loads(it.said) == ours, f"{it.node} {path}"


def test_nginx_has_room_for_as_many_vnodes_as_there_may_be(jms_image: str, tmp_path: Path) -> None:
    """Each is an upstream in memory that its workers share, whose size is in the configuration."""
    topology = resolve(Spec(jvbs=0, visitors=MAX_VNODES))
    jms = render_lab(Lab(Workdir(tmp_path / "demo"), topology))[0]
    [seen] = [it for it in ask_programs(jms_image, [jms]) if it.program == "nginx"]
    assert (seen.node, seen.status) == ("jms", 0), seen.said


def test_programs_refuse_what_is_broken(jms_image: str) -> None:
    """A check that cannot fail would be none."""
    [jms] = fixed_trees(replace(CASES["local-1-relays"], relays=False))
    assert refusing(ask_programs(jms_image, [with_broken(jms, BROKEN)])) >= set(BROKEN)


def with_broken(tree: Tree, broken: Mapping[str, Sequence[str]]) -> Tree:
    texts = dict(broken.values())
    files = tuple(replace(it, text=texts.get(it.path, it.text)) for it in tree.files)
    assert {it.path for it in files} >= set(texts)
    return replace(tree, files=files)


def refusing(checks: list[Check]) -> set[str]:
    return {it.program for it in checks if it.status != 0}
