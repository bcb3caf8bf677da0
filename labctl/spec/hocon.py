"""HOCON text to plain Python data, with pyhocon's silent mishaps turned into problems."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labctl.errors import LabError, Problem, SpecError


def load_hocon(path: Path) -> dict[str, Any]:
    """The file's content as dicts, lists, strings, numbers, booleans and None.

    Errors: LabError when the file cannot be read, SpecError when it is not HOCON or includes a
    file that does not exist (pyhocon would only log that).
    """
    from pyhocon import ConfigFactory, ConfigTree
    from pyhocon.exceptions import ConfigException
    from pyparsing import ParseBaseException

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise LabError(
            f"'{path}' cannot be read: {error.strerror}.",
            hint="Name the file with '--config'.",
        ) from error
    except UnicodeDecodeError as error:
        raise SpecError([Problem("file", "is not UTF-8 text.")], source=f"'{path}'") from error
    try:
        with _logged() as messages:
            tree = ConfigFactory.parse_string(text, basedir=str(path.parent))
    except ParseBaseException as error:
        where = f"line {error.lineno}, column {error.column}"
        problem = Problem(where, f"is not HOCON: {error.line.strip()!r} cannot be read.")
        raise SpecError([problem], source=f"'{path}'") from error
    except OSError as error:
        problem = Problem("include", f"'{error.filename}' cannot be read: {error.strerror}.")
        raise SpecError([problem], source=f"'{path}'") from error
    except ConfigException as error:
        raise SpecError([Problem("file", f"{error}.")], source=f"'{path}'") from error
    if messages:
        raise SpecError([Problem("include", text) for text in messages], source=f"'{path}'")
    if not isinstance(tree, ConfigTree):
        raise SpecError([Problem("file", "must hold keys, not a list.")], source=f"'{path}'")
    data = _plain(tree)
    assert isinstance(data, dict)
    return data


def parse_hocon(text: str) -> dict[str, Any]:
    """HOCON text of another program as plain data; what it takes from elsewhere stays as it is.

    Errors: ValueError with what is wrong.
    """
    from pyhocon import ConfigFactory, ConfigTree
    from pyhocon.exceptions import ConfigException
    from pyparsing import ParseBaseException

    try:
        with _logged():
            tree = ConfigFactory.parse_string(text, resolve=False)
    except (ParseBaseException, ConfigException) as error:
        raise ValueError(str(error)) from error
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
    # Durations and the like: pyhocon's type for them changes with what is installed.
    return str(value)


@contextmanager
def _logged() -> Iterator[list[str]]:
    """What pyhocon logs as warnings or worse meanwhile (a missing include is only logged)."""
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
            # pyhocon calls Logger.warn, which Python has deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield messages
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
