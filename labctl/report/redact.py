"""No secret leaves a lab in a report: its values, and keys as they are written in files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from labctl.core.paste import MARK, PRIVATE_KEY

SHORTEST = 8
"""A value shorter than this is not a secret that labctl made; redacting it would hide harmless
words."""


def secret_values(data: Any) -> set[str]:
    """Every text in the plain data of secrets.json that must not be seen."""
    return {text for text in _texts(data) if len(text) >= SHORTEST}


def redact_text(text: str, *, secrets: Iterable[str]) -> str:
    """The text with each secret replaced; the longest first, so that none leaves a rest."""
    text = PRIVATE_KEY.sub(MARK, text)
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MARK)
    return text


def redact(data: Any, *, secrets: Iterable[str]) -> Any:
    """Plain data with the secrets replaced in every text, keys of mappings included."""
    values = frozenset(secrets)
    match data:
        case str():
            return redact_text(data, secrets=values)
        case dict():
            return {
                redact(key, secrets=values): redact(value, secrets=values)
                for key, value in data.items()
            }
        case list() | tuple():
            return [redact(item, secrets=values) for item in data]
        case _:
            return data


def _texts(data: Any) -> Iterator[str]:
    match data:
        case str():
            yield data
        case dict():
            for value in data.values():
                yield from _texts(value)
        case list() | tuple():
            for item in data:
                yield from _texts(item)
