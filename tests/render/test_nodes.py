"""Rendered trees: the same input is the same text, and what must be in them is in them."""

import re
from pathlib import Path

import pytest
from pyhocon import ConfigFactory

from labctl.core.webpage import HEADERS
from labctl.lab.prepare import render_lab
from labctl.render import Tree
from labctl.render.quoting import hocon, lua, nginx, sh
from labctl.render.services import CLASS_PAGE
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir


def trees(tmp_path: Path, spec: Spec) -> dict[str, Tree]:
    return {tree.node: tree for tree in render_lab(Lab(Workdir(tmp_path / "lab"), resolve(spec)))}


def text(tree: Tree, path: str) -> str:
    return next(file.text for file in tree.files if file.path == path)


def test_rendering_twice_changes_nothing(tmp_path: Path) -> None:
    first = trees(tmp_path, Spec())
    assert trees(tmp_path, Spec()) == first


def test_what_is_written_is_what_was_rendered_and_nothing_else(tmp_path: Path) -> None:
    trees(tmp_path, Spec(visitors=9, visitors_per_node=8))
    after = trees(tmp_path, Spec(visitors=3))
    top = tmp_path / "lab" / "tree"
    assert {path.name for path in top.iterdir()} == set(after)
    for node, tree in after.items():
        files = top / node / "files"
        found = {f"/{p.relative_to(files)}": p for p in files.rglob("*") if p.is_file()}
        assert {path: p.read_text() for path, p in found.items()} == {
            file.path: file.text for file in tree.files
        }
        assert all(p.stat().st_mode & 0o077 == 0 for p in found.values())


@pytest.mark.parametrize("vnodes", [1, 8, 12])
def test_every_place_names_the_same_vnodes(tmp_path: Path, vnodes: int) -> None:
    found = trees(tmp_path, Spec(visitors=vnodes, visitors_per_node=5))
    names = {f"v{index}" for index in range(1, vnodes + 1)}
    jms = found["jms"]
    jicofo = ConfigFactory.parse_string(text(jms, "/etc/jitsi/jicofo/jicofo.conf"))
    assert set(jicofo["jicofo.xmpp.visitors"]) == names
    prosody = text(jms, "/etc/prosody/prosody.cfg.lua")
    site = text(jms, "/etc/nginx/sites-available/meet.lab.internal.conf")
    units = {
        unit.name for tree in found.values() for unit in tree.units if "prosody-v@" in unit.name
    }
    for name in names:
        for host in (f"conference.{name}", name, f"polls.{name}"):
            assert f'["{host}.meet.jitsi"] = "tcp://192.168.56.2' in prosody
        assert f"upstream {name} {{" in site
        assert f"    {name} {name};" in site
    assert units == {f"prosody-v@{name[1:]}.service" for name in names}


def test_a_lab_without_vnodes_has_no_visitors_in_it(tmp_path: Path) -> None:
    jms = trees(tmp_path, Spec(visitors=0))["jms"]
    assert "visitors_component" not in text(jms, "/etc/prosody/prosody.cfg.lua")
    jicofo = ConfigFactory.parse_string(text(jms, "/etc/jitsi/jicofo/jicofo.conf"))
    assert jicofo["jicofo.visitors.enabled"] is False


def test_bridges_share_the_account_and_differ_in_nick(tmp_path: Path) -> None:
    found = trees(tmp_path, Spec(jvbs=2))
    configs = [
        ConfigFactory.parse_string(text(found[node], "/etc/jitsi/videobridge/jvb.conf"))
        for node in ("jms", "jvb1", "jvb2")
    ]
    shards = [c["videobridge.apis.xmpp-client.configs.shard"] for c in configs]
    assert [shard["MUC_NICKNAME"] for shard in shards] == ["jvb", "jvb1", "jvb2"]
    assert len({shard["PASSWORD"] for shard in shards}) == 1
    assert "relay" not in configs[1]["videobridge"]


def test_relays_render_octo_websockets_and_their_locations(tmp_path: Path) -> None:
    found = trees(tmp_path, Spec(jvbs=1, relays=True))
    jicofo = ConfigFactory.parse_string(text(found["jms"], "/etc/jitsi/jicofo/jicofo.conf"))
    assert jicofo["jicofo.octo.enabled"] is True
    bridge = ConfigFactory.parse_string(text(found["jvb1"], "/etc/jitsi/videobridge/jvb.conf"))
    assert bridge["videobridge.relay.relay-id"] == "jvb1"
    assert bridge["videobridge.websockets.server-id"] == "jvb1"
    site = text(found["jms"], "/etc/nginx/sites-available/meet.lab.internal.conf")
    for bridge_name, address in (("jvb", "192.168.56.105"), ("jvb1", "192.168.56.106")):
        block = site.partition(f"location ^~ /colibri-ws/{bridge_name}/ {{")[2].partition("}")[0]
        assert f"proxy_pass http://{address}:9090;" in block


def test_the_class_has_the_pages_own_headers_and_cannot_write(tmp_path: Path) -> None:
    """nginx serves files there, and says of them what labctl's own server says."""
    site = text(trees(tmp_path, Spec())["jms"], "/etc/nginx/sites-available/meet.lab.internal.conf")
    block = site.partition("location ^~ /lab/ {")[2].partition("\n    }")[0]
    added = dict(re.findall(r'add_header (\S+) "?(.*?)"? always;', block))
    assert added == dict(HEADERS)
    assert f"root {CLASS_PAGE};" in block
    assert "proxy_pass" not in block and "autoindex" not in block and "dav" not in block


def test_no_template_turns_verification_off(tmp_path: Path) -> None:
    for tree in trees(tmp_path, Spec()).values():
        for file in tree.files:
            lowered = file.text.lower()
            assert "disable-certificate-verification = true" not in lowered
            assert "disable_certificate_verification = true" not in lowered
            assert "s2s_secure_auth = false" not in lowered


def test_manifest_holds_no_secret(tmp_path: Path) -> None:
    from labctl.render.secrets import ensure_secrets

    found = trees(tmp_path, Spec(visitors=1))
    secrets = ensure_secrets(Workdir(tmp_path / "lab"), vnodes=["v1"])
    for tree in found.values():
        assert secrets.focus_password not in str(tree.manifest())
        assert secrets.jvb_password not in str(tree.manifest())


@pytest.mark.parametrize(
    ("quoted", "expected"),
    [
        (lua('a"b\\c\n'), '"a\\"b\\\\c\\n"'),
        (lua(["a", 1, True]), '{ "a"; 1; true; }'),
        (hocon('a"b'), '"a\\"b"'),
        (hocon(False), "false"),
        (nginx("/etc/x.conf"), "/etc/x.conf"),
        (nginx('a b"c'), '"a b\\"c"'),
        (sh("it's"), "'it'\"'\"'s'"),
    ],
    ids=["lua", "lua-list", "hocon", "hocon-bool", "nginx", "nginx-quoted", "sh"],
)
def test_quoting(quoted: str, expected: str) -> None:
    assert quoted == expected


def test_nginx_cannot_quote_a_dollar_sign() -> None:
    with pytest.raises(ValueError, match="nginx cannot quote"):
        nginx("a$b")


def test_nodes_greet_on_a_small_terminal(tmp_path: Path) -> None:
    for node, tree in trees(tmp_path, Spec(lab="a" * 32, jvbs=2, visitors=8, turn=True)).items():
        greeting = text(tree, "/etc/motd")
        assert greeting.startswith(f"Node {node} (")
        assert "cat /etc/motd" in text(tree, "/etc/profile.d/labctl-greeting.sh")
        assert greeting.count("\n") <= 22
        assert max(map(len, greeting.splitlines())) <= 80
    greeting = text(trees(tmp_path, Spec())["visitors1"], "/etc/motd")
    assert "prosody-v@1 to prosody-v@8: /var/log/prosody-v1/prosody.*\n" in greeting
    greeting = text(trees(tmp_path, Spec())["jvb1"], "/etc/motd")
    assert "a videobridge" in greeting
    assert "sudo tail -f /var/log/jitsi/jvb.log\n" in greeting
