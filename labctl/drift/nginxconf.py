"""Read nginx configuration: tokens, then a tree of directives, then sections per block."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from labctl.core.errors import LabError
from labctl.drift.sections import Place, Sections

# The first argument of these says what is set, so it is a part of the name.
KEYED = ("proxy_set_header", "add_header", "set", "proxy_hide_header", "fastcgi_param", "env")

_TOKEN = re.compile(
    r"""
    \s+ | \#[^\n]*
    | (?P<mark>[{};])
    | "(?P<double>(?:[^"\\]|\\.)*)"
    | '(?P<single>(?:[^'\\]|\\.)*)'
    | (?P<word>(?:\\.|\$\{[^}]*\}|[^\s{};])+)
    """,
    re.VERBOSE | re.DOTALL,
)

LUA_BLOCK = "_by_lua_block"
# Comments and strings of Lua, whose braces do not count; else one character.
_LUA = re.compile(
    r"""
    --\[(?P<c>=*)\[.*?\](?P=c)\] | --[^\n]* | \[(?P<s>=*)\[.*?\](?P=s)\]
    | "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | .
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Directive:
    """A directive with its arguments; a block also has the directives in it, others have None."""

    name: str
    arguments: tuple[str, ...]
    block: tuple[Directive, ...] | None = None


def parse_sections(text: str, *, source: str) -> Sections:
    """The settings of an nginx configuration by block.

    A `server` block is named by its first port, and also by its names if several have that port.
    The order of equal directives does not count.  Errors: LabError that names `source` if a block
    is not closed.
    """
    text = text.removeprefix("\ufeff")
    directives, _ = _parse(list(_tokens(text, source=source)), 0, source=source, depth=0)
    found: dict[Place, dict[str, frozenset[str]]] = {(): {}}
    _flatten(directives, (), found)
    return found


def _tokens(text: str, *, source: str) -> Iterator[tuple[str, bool]]:
    """Each token, and whether it is one of the three marks."""
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            line = text.count("\n", 0, position) + 1
            raise LabError(f"{source}, line {line}: this is not nginx configuration.")
        position = match.end()
        if match["word"] is not None and match["word"].endswith(LUA_BLOCK):
            code, position = _lua_block(text, position, source=source)
            yield match["word"], False
            yield code, False
            yield ";", True
            continue
        if match["mark"] is not None:
            yield match["mark"], True
        elif (word := match["word"]) is not None:
            yield word, False
        else:
            quoted = match["double"] if match["double"] is not None else match["single"]
            if quoted is not None:
                yield re.sub(r"\\([\"'\\])", r"\1", quoted), False


def _parse(
    tokens: list[tuple[str, bool]], at: int, *, source: str, depth: int
) -> tuple[tuple[Directive, ...], int]:
    """The directives of a block from token `at` on, and where the next token is."""
    unclosed = LabError(f"{source}: a block or a directive of nginx's is not closed.")
    found: list[Directive] = []
    words: list[str] = []
    while at < len(tokens):
        token, is_mark = tokens[at]
        at += 1
        if not is_mark:
            words.append(token)
        elif token == "}" and depth and not words:
            return tuple(found), at
        elif token == ";" and not words:
            # nginx refuses an empty directive, but the others are still worth comparing.
            continue
        elif words and token != "}":
            inner = None
            if token == "{":
                inner, at = _parse(tokens, at, source=source, depth=depth + 1)
            found.append(Directive(words[0], tuple(words[1:]), inner))
            words = []
        else:
            raise unclosed
    if depth or words:
        raise unclosed
    return tuple(found), at


def _flatten(
    directives: tuple[Directive, ...], place: Place, found: dict[Place, dict[str, frozenset[str]]]
) -> None:
    names = _block_names([one for one in directives if one.block is not None])
    for one in directives:
        if one.block is not None:
            inner = (*place, next(names))
            found.setdefault(inner, {})
            _flatten(one.block, inner, found)
            continue
        keyed = one.name in KEYED and one.arguments
        name = f"{one.name} {one.arguments[0]}" if keyed else one.name
        value = " ".join(one.arguments[1:] if keyed else one.arguments)
        section = found[place]
        section[name] = section.get(name, frozenset()) | {value}


def _block_names(blocks: list[Directive]) -> Iterator[str]:
    """A name for each block of one level; blocks with the same name get a number."""
    plain = [_block_name(block) for block in blocks]
    named = [
        f"{name} {_server_names(block)}".rstrip() if plain.count(name) > 1 else name
        for name, block in zip(plain, blocks, strict=True)
    ]
    seen: dict[str, int] = {}
    for name in named:
        seen[name] = seen.get(name, 0) + 1
        yield name if seen[name] == 1 else f"{name} #{seen[name]}"


def _block_name(block: Directive) -> str:
    if block.name != "server" or block.arguments:
        return " ".join((block.name, *block.arguments))
    listens = [it.arguments[0] for it in block.block or () if it.name == "listen" and it.arguments]
    return f"server :{listens[0].rpartition(':')[2]}" if listens else "server"


def _server_names(block: Directive) -> str:
    found = (it.arguments for it in block.block or () if it.name == "server_name")
    return " ".join(name for names in found for name in names)


def _lua_block(text: str, start: int, *, source: str) -> tuple[str, int]:
    """The code of a `..._by_lua_block { }` that begins at `start`, as one line, and its end."""
    opening = re.compile(r"\s*\{").match(text, start)
    depth, position = (1, opening.end()) if opening else (0, start)
    while opening and depth and position < len(text):
        token = _LUA.match(text, position)
        assert token is not None
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        position = token.end()
    if opening is None or depth:
        raise LabError(f"{source}: a block of Lua code is not closed.")
    return " ".join(text[opening.end() : position - 1].split()), position
