"""Each kind of file by its meaning: order, quotes, comments and notation do not count."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.drift import hoconkeys, nginxconf, prosodyconf, unitfiles
from labctl.drift.sections import SECRET, Sections, SettingDifference, compare, flatten

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


def test_what_is_appended_to_a_hocon_list_is_part_of_it() -> None:
    appended = hoconkeys.parse_sections(
        'a { list = [one] }\na.list += two\na { list += "three += x" }\nb += 1 # c += 2\n',
        source="'x'",
    )
    written = hoconkeys.parse_sections('a.list = [one, two, "three += x"]\nb = [1]\n', source="'y'")
    assert changes(appended, written) == []
    other = hoconkeys.parse_sections("a.list = [one, two]\nb = [1]\n", source="'z'")
    assert changes(appended, other) == [("", "a.list", "three += x", None)]


def test_hocon_may_have_a_byte_order_mark_and_blanks_of_unicode() -> None:
    text = '\ufeffa\u00a0=\u00a0{ b\u2003= 1 }\nc = "x\u00a0y" # \u00a0\n'
    assert hoconkeys.parse_sections(text, source="'x'") == {
        (): {"a.b": only("1"), "c": only("x\u00a0y")}
    }


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


def test_servers_on_one_port_are_told_apart() -> None:
    text = (
        "server { listen 443 ssl; server_name a.x; root /a; }\n"
        "server { listen 443 ssl; server_name b.x www.b.x; root /b; }\n"
        "server { listen 443; server_name a.x; root /again; }\n"
        "server { listen 80; root /plain; }\n"
    )
    found = nginxconf.parse_sections(text, source="'x'")
    roots = {place[0]: values["root"] for place, values in found.items() if place}
    assert roots == {
        "server :443 a.x": only("/a"),
        "server :443 b.x www.b.x": only("/b"),
        "server :443 a.x #2": only("/again"),
        "server :80": only("/plain"),
    }


def test_lua_in_nginx_is_one_value_whatever_braces_are_in_it() -> None:
    text = (
        "\ufefflocation / {\n"
        "  content_by_lua_block {\n"
        '    local t = { a = "}" } -- }\n'
        "    --[==[ } ]==]\n"
        "    if t.a == '{' then ngx.say([[}}]]) end\n"
        "  }\n"
        "  root /x;;\n"
        "}\n"
    )
    found = nginxconf.parse_sections(text, source="'x'")["location /",]
    assert found["root"] == only("/x")
    [code] = found["content_by_lua_block"]
    assert code.startswith('local t = { a = "}" }')
    assert code.endswith("ngx.say([[}}]]) end")


@pytest.mark.parametrize(
    "text",
    [
        "a_by_lua_block { local t = {",
        "a_by_lua_block local",
        "server { listen 80;",
        "listen 80",
        "}",
        "server { listen 80 }",
        "a; } b;",
        "{ a; }",
    ],
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
        SettingDifference("prosody", "meet.x", "modules_enabled", None, "visitors"),
        SettingDifference("prosody", "polls.meet.x", "(whole)", POLLS, None),
    ]
    assert [(it.name, it.packaged, it.placed) for it in compare("p", *sides)][:2] == [
        ("limits.c2s.rate", "10kb/s", "512kb/s"),
        ("plugin_paths", '["/b", "/a"]', '["/a", "/b"]'),
    ]


@pytest.mark.engine
def test_what_prosody_offers_beside_pure_lua_can_be_read(jms_image: str) -> None:
    main = (
        '\ufeffInclude "more.lua"\n'
        'local cert = require "util.certs"\n'
        'huge = math.huge; path = cert.find("x", 1); loaded = require "lfs"\n'
        "tried = pcall(function() error('no') end)\n"
    )
    files = f"printf %s {shlex.quote(main)} > main.lua && printf %s 'included = true' > more.lua"
    done = run_in(jms_image, "''", "/samples/main.lua", files=files)
    assert done.returncode == 0, done.stderr
    assert prosodyconf.parse_sections(done.stdout, source="'x'") == {
        ("global",): {
            "included": only("true"),
            "huge": only("inf"),
            "path": only("require(util.certs).find(x)"),
            "loaded": only("require(lfs)"),
            "tried": only("false"),
        }
    }


@pytest.mark.engine
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            "while true do pcall(function() while true do end end) end",
            "does not come to an end",
            id="endless in spite of pcall",
        ),
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
