"""Each kind of file by its meaning: order, quotes, comments and notation do not count."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from labctl.drift import hoconkeys, nginxconf, prosodyconf, unitfiles
from labctl.drift.sections import SECRET, Difference, Sections, compare, flatten
from labctl.errors import LabError

SAMPLES = Path(__file__).parent / "samples"


def changes(packaged: Sections, placed: Sections) -> list[tuple[str, str, str | None, str | None]]:
    return [(it.where, it.name, it.packaged, it.placed) for it in compare("area", packaged, placed)]


def only(*values: str) -> frozenset[str]:
    return frozenset(values)


@pytest.mark.parametrize(
    ("packaged", "placed", "expected"),
    [
        pytest.param({"a": only("1")}, {"a": only("1")}, [], id="the same"),
        pytest.param({"a": only("1")}, {"a": only("2")}, [("", "a", "1", "2")], id="changed"),
        pytest.param({"a": only("1")}, {}, [("", "a", "1", None)], id="only packaged"),
        pytest.param({}, {"a": only("1")}, [("", "a", None, "1")], id="only placed"),
        pytest.param(
            {"a": only("x", "y")},
            {"a": only("y", "z")},
            [("", "a", None, "z"), ("", "a", "x", None)],
            id="of a set each member by itself",
        ),
    ],
)
def test_settings_are_compared_one_by_one(
    packaged: dict[str, frozenset[str]], placed: dict[str, frozenset[str]], expected: list[object]
) -> None:
    assert changes({(): packaged}, {(): placed}) == expected


def test_a_section_of_one_side_is_one_difference_with_all_in_it() -> None:
    packaged: Sections = {("a",): {"x": only("1")}, ("a", "b"): {"y": only("2", "3")}}
    assert changes(packaged, {}) == [("a", "(whole)", "x = 1; b > y = 2, 3", None)]


def test_values_of_secrets_are_never_kept() -> None:
    tree = {"PASSWORD": "x", "turn-secret": "y", "turn": {"secret": True}, "passwords": "z"}
    assert flatten(tree) == {
        "PASSWORD": only(SECRET),
        "turn-secret": only(SECRET),
        "turn.secret": only("true"),
        "passwords": only("z"),
    }


def test_hocon_is_compared_by_keys_however_they_are_written() -> None:
    packaged = hoconkeys.parse_sections(
        'a { b: { c = "x", PASSWORD: p } }\nl = [ 2, 1 ]\nt = 20 seconds\ne = []\n', source="'one'"
    )
    placed = hoconkeys.parse_sections(
        '# words\na.b.c = x\na.b.PASSWORD = "q"\nl = [1,2]\nt = "20 seconds"\ne = [ ]\n',
        source="'two'",
    )
    assert changes(packaged, placed) == []
    other = hoconkeys.parse_sections("a.b.c = y, l = [1]", source="'three'")
    assert ("", "a.b.c", "x", "y") in changes(packaged, other)
    assert ("", "l", "2", None) in changes(packaged, other)


def test_hocon_that_cannot_be_read_is_named() -> None:
    with pytest.raises(LabError, match=r"'/etc/x' is not HOCON"):
        hoconkeys.parse_sections("a { b = [ 1, }", source="'/etc/x'")


NGINX = """
upstream prosody { server 127.0.0.1:5280; keepalive 2; }  # words { ;
map $arg_vnode $prosody_node { default prosody; v1 v1; }
server {
    listen 443 ssl; listen [::]:443 ssl;
    gzip_types text/plain "text/css";
    location ~ ^/([^/?&:'"]+)/(.*)$ { rewrite ^/([^/]+)$ /$1 break; set $a "x y"; }
    location = /x { proxy_set_header Host $http_host; proxy_set_header Connection ""; }
}
"""


def test_nginx_is_read_as_blocks_and_directives() -> None:
    found = nginxconf.parse_sections(NGINX, source="'site'")
    assert found["upstream prosody",] == {"server": only("127.0.0.1:5280"), "keepalive": only("2")}
    assert found["map $arg_vnode $prosody_node",] == {
        "default": only("prosody"),
        "v1": only("v1"),
    }
    server = found["server :443",]
    assert server["listen"] == only("443 ssl", "[::]:443 ssl")
    assert server["gzip_types"] == only("text/plain text/css")
    assert found["server :443", "location ~ ^/([^/?&:'\"]+)/(.*)$"] == {
        "rewrite": only("^/([^/]+)$ /$1 break"),
        "set $a": only("x y"),
    }
    assert found["server :443", "location = /x"] == {
        "proxy_set_header Host": only("$http_host"),
        "proxy_set_header Connection": only(""),
    }


def test_nginx_differences_name_their_block() -> None:
    placed = NGINX.replace("keepalive 2", "keepalive 4").replace('"text/css"', "text/css")
    sides = (nginxconf.parse_sections(text, source="'x'") for text in (NGINX, placed))
    assert changes(*sides) == [("upstream prosody", "keepalive", "2", "4")]


@pytest.mark.parametrize(
    "text", ["server { listen 80;", "listen 80", "}", "server { listen 80 }", "a; } b;", "{ a; }"]
)
def test_nginx_that_is_not_closed_is_refused(text: str) -> None:
    with pytest.raises(LabError, match=r"^'/etc/x'"):
        nginxconf.parse_sections(text, source="'/etc/x'")


def test_a_unit_is_its_file_and_what_adds_to_it() -> None:
    own = "[Service]\n# words\nExecStart=/bin/a \\\n  -b\nEnvironment=A=1\nEnvironment=B=2\n"
    assert unitfiles.parse_sections("x.service", [own])["x.service", "Service"] == {
        "ExecStart": only("/bin/a    -b"),
        "Environment": only("A=1", "B=2"),
    }
    more = "[Service]\nExecStart=\nExecStart=/bin/c\nLimitNOFILE=65000\n"
    sides = (unitfiles.parse_sections("x.service", texts) for texts in ([own], [own, more]))
    assert changes(*sides) == [
        ("x.service > Service", "ExecStart", "/bin/a    -b", "/bin/c"),
        ("x.service > Service", "LimitNOFILE", None, "65000"),
    ]


def test_prosody_lines_become_sections() -> None:
    line = (
        '{"*":{"admins":[],"limits":{"c2s":{"rate":"10kb/s"}}},'
        '"meet.x":{"(kind)":"VirtualHost","modules_enabled":["bosh","ping"]}}'
    )
    assert prosodyconf.parse_sections(line, source="'x'") == {
        ("global",): {"admins": only("[]"), "limits.c2s.rate": only("10kb/s")},
        ("meet.x",): {"(kind)": only("VirtualHost"), "modules_enabled": only("bosh", "ping")},
    }


def test_prosody_output_that_is_no_json_is_refused() -> None:
    with pytest.raises(LabError, match="'x' could not be read"):
        prosodyconf.parse_sections("lua5.4: not found", source="'x'")


def run_in(image: str, *words: str, files: str) -> subprocess.CompletedProcess[str]:
    """Run the collector as on a node: the script on stdin, the files of a folder at /samples."""
    script = prosodyconf.SCRIPT.read_text(encoding="utf-8")
    unpack = "mkdir /samples && cd /samples && " + files
    return subprocess.run(
        ["docker", "run", "--rm", "-i", "--network", "none", image, "sh", "-c",
         f"{unpack} && exec lua5.4 - {' '.join(words)}"],
        input=script, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def here_files(*names: str) -> str:
    texts = {name: (SAMPLES / name).read_text(encoding="utf-8") for name in names}
    return " && ".join(f"printf %s {shlex.quote(text)} > {name}" for name, text in texts.items())


POLLS = "(kind) = Component polls_component; size = 8.0"


@pytest.mark.engine
def test_lua_is_run_as_prosody_reads_it(jms_image: str) -> None:
    names = ("packaged.cfg.lua", "placed.cfg.lua")
    words = ("/r", "packaged.cfg.lua", "--", "''", "placed.cfg.lua")
    done = run_in(jms_image, *words, files=here_files(*names))
    assert done.returncode == 0, done.stderr
    assert "shown" not in done.stdout
    sides = [prosodyconf.parse_sections(it, source="'x'") for it in done.stdout.splitlines()]
    assert [it for it in compare("prosody", *sides) if it.where != "global"] == [
        Difference("prosody", "meet.x", "modules_enabled", None, "visitors"),
        Difference("prosody", "polls.meet.x", "(whole)", POLLS, None),
    ]
    assert [(it.name, it.packaged, it.placed) for it in compare("p", *sides)][:2] == [
        ("limits.c2s.rate", "10kb/s", "512kb/s"),
        ("plugin_paths", '["/b", "/a"]', '["/a", "/b"]'),
    ]


@pytest.mark.engine
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param('os.execute("touch /x")', "attempt to call a nil value", id="program"),
        pytest.param('io.open("/etc/passwd")', "attempt to index a nil value", id="file"),
        pytest.param("while true do end", "does not come to an end", id="endless"),
        pytest.param('VirtualHost "', "unfinished string", id="not Lua"),
    ],
)
def test_a_configuration_can_do_nothing_but_be_read(
    jms_image: str, text: str, problem: str
) -> None:
    done = run_in(jms_image, "''", "x.lua", files=f"printf %s {shlex.quote(text)} > x.lua")
    assert done.returncode == 1
    assert problem in done.stderr
