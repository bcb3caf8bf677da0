"""How to write a value in each language that labctl renders."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

_LUA_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\0": "\\0"}
_NGINX_PLAIN = re.compile(r"[A-Za-z0-9_./:-]+")


def lua(value: Any) -> str:
    """A Lua literal: text, number, boolean, or a list or mapping of those."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{ " + " ".join(f"[{lua(key)}] = {lua(item)};" for key, item in value.items()) + " }"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return "{ " + " ".join(f"{lua(item)};" for item in value) + " }"
    return '"' + "".join(_LUA_ESCAPES.get(char, char) for char in str(value)) + '"'


def hocon(value: Any) -> str:
    """A HOCON literal.  JSON is valid HOCON for both readers (Java's and Ruby's)."""
    return json_text(value)


def json_text(value: Any) -> str:
    """JSON on one line."""
    plain = value if isinstance(value, bool | int | float | list | dict) else str(value)
    return json.dumps(plain, ensure_ascii=False)


def nginx(value: Any) -> str:
    """An nginx parameter, in quotes if it needs them.

    Errors: ValueError for text with a dollar sign or a line break, which nginx cannot quote.
    """
    text = str(value)
    if _NGINX_PLAIN.fullmatch(text):
        return text
    if "$" in text or "\n" in text:
        raise ValueError(f"nginx cannot quote {text!r}")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def sh(value: Any) -> str:
    """One word of a shell command."""
    return shlex.quote(str(value))


def comment(value: Any) -> str:
    """Text within a comment that ends with its line, in any language."""
    return " ".join(str(value).split())


FILTERS = {
    "lua": lua,
    "hocon": hocon,
    "json": json_text,
    "nginx": nginx,
    "sh": sh,
    "comment": comment,
}
