"""HOCON text to plain Python data; what pyhocon ignores silently becomes a problem."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labctl.core.errors import LabError, Problem, SpecError
from labctl.core.usertext import UTF8_HINT, load_text, plain_blanks

# What must stay as it is (quoted text, comments), else an amount with a unit of time.  pyhocon
# would read '2048m' as minutes; no key of ours is a time, so it stays text.
_PIECE = re.compile(
    r'"""(?:.|\n)*?"""+|"(?:[^"\\\n]|\\.)*"|(?:#|//)[^\n]*'
    r"|(?P<amount>(?<![\w.+-])\d+ *(?:[num]?s|m|mo|h|w|d|y"
    r"|(?:nano|micro|milli)(?:s|seconds?)?|(?:second|minute|hour|day|week|month|year)s?)(?!\w))"
)


MOST_CHARACTERS = 2048
"""The most that a file may hold besides comments and quoted text: pyhocon reads about 4 of them in
a millisecond at worst."""

MOST_QUOTED = 16384
"""The most that it may hold between quotes, which cost little."""

MOST_SUBSTITUTIONS = 24
"""`${...}` in one file; each line of "b = ${a}${a}" doubles what the one before it has made."""

MOST_INCLUDES = 8
"""How deeply files may include each other: one that includes itself is told soon."""

_TOO_DEEP = "is nested too deeply, or includes itself."


def load_hocon(path: Path) -> dict[str, Any]:
    """The file's content as dicts, lists, strings, numbers, booleans and None.

    Errors: LabError if the file cannot be read, SpecError if it is not HOCON or includes a file
    that does not exist (pyhocon would only log that).
    """
    from pyhocon import ConfigTree
    from pyhocon.exceptions import ConfigException
    from pyparsing import ParseBaseException

    try:
        text = load_text(path)
    except OSError as error:
        raise LabError(
            f"'{path}' cannot be read: {error.strerror}.",
            hint="Name the file with '--config'.",
        ) from error
    except UnicodeDecodeError as error:
        problem = Problem("file", "is not UTF-8 text.", UTF8_HINT)
        raise SpecError([problem], source=f"'{path}'") from error
    try:
        with _logged() as messages, _tidy_reader() as factory:
            tree = factory.parse_string(text, basedir=str(path.parent))
    except ParseBaseException as error:
        where = f"line {error.lineno}, column {error.column}"
        problem = Problem(where, f"is not HOCON: {error.line.strip()!r} cannot be read.")
        raise SpecError([problem], source=f"'{path}'") from error
    except OSError as error:
        problem = Problem("include", f"'{error.filename}' cannot be read: {error.strerror}.")
        raise SpecError([problem], source=f"'{path}'") from error
    except UnicodeDecodeError as error:
        problem = Problem("include", "names a file that is not UTF-8 text.", UTF8_HINT)
        raise SpecError([problem], source=f"'{path}'") from error
    except ConfigException as error:
        raise SpecError([Problem("file", f"{error}.")], source=f"'{path}'") from error
    except RecursionError as error:
        raise SpecError([Problem("file", _TOO_DEEP)], source=f"'{path}'") from error
    if messages:
        raise SpecError([Problem("include", text) for text in messages], source=f"'{path}'")
    if not isinstance(tree, ConfigTree):
        raise SpecError([Problem("file", "must hold keys, not a list.")], source=f"'{path}'")
    data = _plain(tree)
    assert isinstance(data, dict)
    return data


def parse_hocon(text: str) -> dict[str, Any]:
    """HOCON text of another program as plain data; substitutions from elsewhere are not resolved.

    Errors: ValueError that says what is wrong.
    """
    from pyhocon import ConfigFactory, ConfigTree
    from pyhocon.exceptions import ConfigException
    from pyparsing import ParseBaseException

    try:
        with _logged():
            tree = ConfigFactory.parse_string(text, resolve=False)
    except (ParseBaseException, ConfigException) as error:
        raise ValueError(str(error)) from error
    except RecursionError as error:
        raise ValueError(f"it {_TOO_DEEP.rstrip('.')}") from error
    if not isinstance(tree, ConfigTree):
        raise ValueError("it holds no keys")
    data = _plain(tree)
    assert isinstance(data, dict)
    return data


def _plain(value: Any) -> Any:
    from pyhocon.config_tree import NoneValue

    if isinstance(value, Mapping):
        return {str(key).strip('"'): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, NoneValue):
        return None
    if isinstance(value, bool | int | float | str):
        return value
    # Such as durations: pyhocon's type for them depends on what is installed.
    return str(value)


def excess(text: str) -> str:
    """What a file has too much of to be read in a second; empty if it can be read."""
    quoted = sum(len(found[0]) for found in _PIECE.finditer(text) if found[0][0] == '"')
    bare = _PIECE.sub(lambda found: found[0] if found["amount"] else "", text)
    if sum(len(line.strip()) for line in bare.splitlines()) > MOST_CHARACTERS:
        return f"holds more than {MOST_CHARACTERS} characters besides comments and quoted text"
    if quoted > MOST_QUOTED:
        return f"holds more than {MOST_QUOTED} characters of quoted text"
    if bare.count("${") > MOST_SUBSTITUTIONS:
        return f"has more than {MOST_SUBSTITUTIONS} substitutions"
    return ""


def tidy(text: str) -> str:
    """HOCON text that pyhocon reads as its specification says, wherever it was written.

    Blanks of all kinds become ordinary ones outside of quoted text, and amounts are quoted.
    """
    pieces, end = [], 0
    for found in _PIECE.finditer(blank := _blank_outside(text)):
        pieces.append(blank[end : found.start()])
        pieces.append(f'"{found[0]}"' if found["amount"] else found[0])
        end = found.end()
    return "".join(pieces) + blank[end:]


def _blank_outside(text: str) -> str:
    pieces, end = [], 0
    for found in _PIECE.finditer(text):
        if found["amount"]:
            continue
        pieces += [plain_blanks(text[end : found.start()]), found[0]]
        end = found.end()
    return "".join(pieces) + plain_blanks(text[end:])


@contextmanager
def _tidy_reader() -> Iterator[Any]:
    """pyhocon's reader with `tidy` before it, for the file and for all that it includes."""
    from pyhocon import ConfigFactory, config_parser
    from pyhocon.exceptions import ConfigException

    class TidyFactory(ConfigFactory):  # type: ignore[misc]
        depth = 0

        @classmethod
        def parse_file(
            cls, filename: str, encoding: str = "utf-8", required: bool = True, **options: Any
        ) -> Any:
            path = Path(filename)
            if not required and not path.exists():
                # It logs what is missing.
                return super().parse_file(filename, encoding, required, **options)
            cls.depth += 1
            if cls.depth > MOST_INCLUDES:
                raise RecursionError
            try:
                return cls.parse_string(load_text(path), str(path.parent), **options)
            finally:
                cls.depth -= 1

        @classmethod
        def parse_string(cls, content: str, *words: Any, **options: Any) -> Any:
            if said := excess(content):
                raise ConfigException(said)
            return super().parse_string(tidy(content), *words, **options)

        @classmethod
        def parse_URL(cls, url: str, *_: Any, **__: Any) -> Any:
            raise ConfigException(f"includes '{url}', and only files can be included")

    # An include looks the reader up by this name.
    config_parser.ConfigFactory = TidyFactory
    try:
        yield TidyFactory
    finally:
        config_parser.ConfigFactory = ConfigFactory


@contextmanager
def _logged() -> Iterator[list[str]]:
    """What pyhocon logs meanwhile as warnings or worse; it only logs a missing include."""
    messages: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    logger = logging.getLogger("pyhocon.config_parser")
    handler = Keep(logging.WARNING)
    logger.addHandler(handler)
    propagate, logger.propagate = logger.propagate, False
    try:
        with warnings.catch_warnings():
            # pyhocon calls Logger.warn, which is deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield messages
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
