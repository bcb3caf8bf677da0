"""Text files that people bring along: from editors and systems that write them in their own way."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

# What Windows' editors and PowerShell put before text, and the encoding that it means.
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_LINE_END = re.compile(r"\r\n?|[\u0085\u2028\u2029]")
# Blanks of word processors and web pages; HOCON's specification counts them as white space, too.
_BLANK = re.compile(r"[\v\f\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_INVISIBLE = re.compile(r"[\u200b-\u200d\u2060\ufeff]")

UTF8_HINT = "Save it in the encoding UTF-8."


def load_text(path: Path) -> str:
    """A file's text with `\\n` at the ends of lines and without a byte-order mark.

    Errors: OSError; UnicodeDecodeError for a file that is neither UTF-8 text nor marked as UTF-16.
    """
    return decode_text(path.read_bytes())


def decode_text(data: bytes) -> str:
    """The text in a file's bytes, as `load_text` gives it."""
    mark = next((mark for mark in MARKS if data.startswith(mark)), b"")
    text = data.removeprefix(mark).decode(MARKS.get(mark, "utf-8"))
    if (zero := text.find("\0")) >= 0:
        raise UnicodeDecodeError("utf-8", data, zero, zero + 1, "a zero byte")
    return _LINE_END.sub("\n", text)


def plain_blanks(text: str) -> str:
    """The same text with ordinary blanks for all kinds of blanks, and without invisible characters.

    It is for the parts of a file that a parser reads, not for what is quoted.
    """
    return _INVISIBLE.sub("", _BLANK.sub(" ", text))
