"""Names are data: they never become Lua, HOCON, nginx, shell or Ruby.

There are two fences.  What the readers let through holds letters, digits, dots and dashes only; and
what the templates quote would be harmless if it held anything else.  Real parsers read it back.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import crossplane
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from lupa.lua54 import LuaRuntime
from pyhocon import ConfigFactory, ConfigTree

from labctl.core.errors import LabError
from labctl.providers.vm.ovf import render_vagrantfile
from labctl.render import Tree
from labctl.render.quoting import hocon, json_text, lua, nginx, sh
from labctl.spec import load_spec
from labctl.topology.spec import Spec
from tests.rendering import CASES, fixed_trees

# What ends a string, a comment, a statement or a line in one of these languages.
NASTY = (
    *('"', "'", "\\", "\n", "\r", "\0", "]]", "--", "//", "#", "${x}", "$x", "#{x}", "`x`", "$(x)"),
    *(";", "{", "}", "(", ")", "[", "]", "=", " ", "\t", "\u2028", "\x7f", "\x1b", "é", "%", "../"),
)
hostile = st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=4)), max_size=6).map("".join)
EVIL = 'x"; os.execute("id") --\n]]${HOME}#{`id`}$(id)'


# The first fence.


@given(text=st.one_of(hostile, st.from_regex(r"[a-z0-9.-]{1,40}\n?", fullmatch=True)))
@example(text=EVIL)
@example(text="meet.lab.internal\n")
@example(text="course\n")
def test_only_plain_names_are_let_through(text: str) -> None:
    for flag in ("lab", "domain"):
        try:
            spec, _ = load_spec(None, {flag: text})
        except LabError:
            continue
        assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", getattr(spec, flag))


# The second: the filters.


@pytest.fixture(scope="session")
def runtime() -> LuaRuntime:
    return LuaRuntime(encoding="utf-8")


@given(text=hostile)
@example(text=EVIL)
def test_lua_reads_back_what_was_quoted(text: str, runtime: LuaRuntime) -> None:
    assert runtime.eval(lua(text)) == text
    table = runtime.eval(lua({"key": text, text: [text, 1, True]}))
    assert table["key"] == text if text != "key" else True
    assert list(table[text].values()) == [text, 1, True]


@given(text=hostile)
@example(text=EVIL)
def test_hocon_and_json_read_back_what_was_quoted(text: str) -> None:
    assert json.loads(json_text(text)) == text
    tree = ConfigFactory.parse_string(f"a {{ b = {hocon(text)}\n c = 1 }}")
    assert (set(tree["a"]), tree["a"]["c"]) == ({"b", "c"}, 1)


@given(text=hostile)
@example(text=EVIL)
def test_nginx_reads_back_what_was_quoted_or_it_is_refused(text: str, tmp_path: Path) -> None:
    try:
        quoted = nginx(text)
    except ValueError:
        return
    file = tmp_path / "nginx.conf"
    file.write_bytes(f"set_it {quoted};\nother 1;\n".encode("utf-8", "surrogatepass"))
    parsed = crossplane.parse(str(file), single=True, check_ctx=False, check_args=False)
    assert parsed["status"] == "ok"
    said = parsed["config"][0]["parsed"]
    assert [(it["directive"], len(it["args"])) for it in said] == [("set_it", 1), ("other", 1)]


@given(text=hostile)
@example(text=EVIL)
def test_a_shell_reads_back_what_was_quoted(text: str) -> None:
    assert shlex.split(f"echo {sh(text)} end") == ["echo", text, "end"]


@pytest.mark.programs
def test_bash_and_ruby_agree() -> None:
    texts = [*NASTY, EVIL]
    texts = [text for text in texts if "\0" not in text]
    script = "printf '%s\\0' " + " ".join(map(sh, texts))
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == texts
    for text in texts:
        with pytest.raises(ValueError, match="is not a reference"):
            render_vagrantfile(text)
    code = render_vagrantfile("labctl-jms-0123456789ab").encode()
    assert subprocess.run(["ruby", "-c"], input=code, capture_output=True).returncode == 0


# The second: whole files.  A file with a hostile name has the shape of one with a plain name.

RECORD = """
function(text)
  local log = {}
  local function note(...) log[#log + 1] = table.concat({...}, " ") end
  local function shape(value)
    if type(value) ~= "table" then return type(value) end
    local size = 0
    for _ in pairs(value) do size = size + 1 end
    return "table of " .. size
  end
  local env = setmetatable({}, {
    __index = function(_, name)
      return function(...)
        note("call", name, select("#", ...))
        return function(...) note("then", select("#", ...)) end
      end
    end,
    __newindex = function(_, key, value) note("set", tostring(key), shape(value)) end,
  })
  local chunk, err = load(text, "config", "t", env)
  if not chunk then return "does not load: " .. err end
  chunk()
  return table.concat(log, "\\n")
end
"""


def lua_shape(text: str, runtime: LuaRuntime) -> str:
    """What a configuration of Prosody does: calls and settings, without their values."""
    return str(runtime.eval(RECORD)(text))


def keys_of(value: Any) -> Any:
    if isinstance(value, ConfigTree):
        return {key: keys_of(item) for key, item in value.items()}
    return [keys_of(item) for item in value] if isinstance(value, list) else "value"


def nginx_shape(path: Path) -> list[tuple[str, int, Any]]:
    parsed = crossplane.parse(str(path), single=True, check_ctx=False, check_args=False)
    assert parsed["status"] == "ok", parsed["errors"]

    def walk(block: list[Any]) -> list[tuple[str, int, Any]]:
        return [(it["directive"], len(it["args"]), walk(it.get("block", []))) for it in block]

    return walk(parsed["config"][0]["parsed"])


def shapes(trees: list[Tree], runtime: LuaRuntime, scratch: Path) -> Iterator[tuple[str, Any]]:
    """The shape of each file that one of the parsers can read, by node and place."""
    for tree in trees:
        for index, file in enumerate(tree.files):
            where = f"{tree.node} {index}"
            if file.path.endswith("prosody.cfg.lua"):
                yield f"{where} Lua", lua_shape(file.text, runtime)
            elif file.path.endswith((".conf",)) and "/etc/jitsi/" in file.path:
                yield (
                    f"{where} HOCON",
                    keys_of(ConfigFactory.parse_string(file.text, resolve=False)),
                )
            elif "/nginx/" in file.path:
                target = scratch / "x.conf"
                target.write_bytes(file.text.encode("utf-8", "surrogatepass"))
                yield f"{where} nginx", nginx_shape(target)
        for index, command in enumerate(tree.commands):
            yield f"{tree.node} command {index}", len(shlex.split(command.run))


# A domain is in paths of files and in text besides; what these make of it is not asked here.
PLAIN = "meet.lab.internal"


@given(name=hostile)
@example(name=EVIL)
@example(name='a" b')
@example(name='"\r')
@example(name='x"; os.execute("id") --')
@example(name="a;}b")
def test_a_hostile_domain_changes_no_files_shape(
    name: str, runtime: LuaRuntime, tmp_path: Path
) -> None:
    assume(name.strip() and "\0" not in name)
    for case in ("local-1-relays", "jwt"):
        spec: Spec = CASES[case]
        try:
            evil = dict(shapes(fixed_trees(replace(spec, domain=name)), runtime, tmp_path))
        except ValueError as error:
            assert "cannot quote" in str(error)
            continue
        assert evil == dict(shapes(fixed_trees(replace(spec, domain=PLAIN)), runtime, tmp_path))
