"""A program that labctl runs, as a line to paste into a shell, without secrets."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

MARK = "[secret]"
"""What stands in the place of a secret."""

PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_SECRET_NAME = r"[\w-]*(?:pass(?:word|wd)?|secret|token|credentials?|apikey|api[_-]key)"
_SETTING = re.compile(rf"(?i)(?P<name>\b{_SECRET_NAME})(?P<sign>\s*[=:]\s*)(?P<value>[^\s&'\"]+)")
_OPTION = re.compile(rf"(?i)--?{_SECRET_NAME}\Z")
_USER_INFO = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^/\s@'\"]+@")
_JWT = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")


def paste_line(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> str:
    """The command with its folder and settings; what it reads is only counted."""
    settings = [
        f"{name}={shlex.quote(value)}" for name, value in _without_secrets(env or {}).items()
    ]
    line = " ".join([*settings, shlex.join(hide_secrets([str(part) for part in argv]))])
    where = f"cd {shlex.quote(str(cwd))} && " if cwd is not None and cwd != Path.cwd() else ""
    reads = f"  # reads {len(stdin)} characters" if stdin else ""
    return f"{where}{line}{reads}"


def hide_secrets(words: Sequence[str]) -> list[str]:
    """The words of a command with every value that looks secret replaced."""
    found, hidden_next = [], False
    for word in words:
        found.append(MARK if hidden_next else hide_in_text(word))
        hidden_next = _OPTION.fullmatch(word) is not None
    return found


def hide_in_text(text: str) -> str:
    """Text without keys, passwords in addresses, tokens, and values of settings with such names."""
    text = PRIVATE_KEY.sub(MARK, text)
    text = _USER_INFO.sub(rf"\g<scheme>{MARK}@", text)
    text = _JWT.sub(MARK, text)
    return _SETTING.sub(rf"\g<name>\g<sign>{MARK}", text)


def _without_secrets(env: Mapping[str, str]) -> dict[str, str]:
    secret = re.compile(rf"(?i){_SECRET_NAME}\Z")
    return {
        name: MARK if secret.fullmatch(name) else hide_in_text(value) for name, value in env.items()
    }
