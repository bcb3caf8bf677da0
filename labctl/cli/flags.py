"""The flags that describe a lab: one for each key of lab.conf that declares a flag."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from labctl.topology.keys import AUTO, Choice, Cidr, Key, OnOff, WholeNumber, declared
from labctl.topology.spec import Spec

F = TypeVar("F", bound=Callable[..., Any])


def key_options(only: Collection[str] | None = None) -> Callable[[F], F]:
    """A decorator that adds the flags of lab.conf's keys to a command, or `only` those named.

    Values stay text: `labctl.spec` checks all of them together, so that all problems are reported
    at once.  `--lab` is `labctl.cli.common.lab_option`, because every verb has it.
    """
    keys = [each.key for each in declared(Spec)]
    wanted = [key for key in keys if key.flag not in (None, "lab")]

    def decorate(function: F) -> F:
        for key in reversed(wanted):
            if only is None or key.flag in only:
                function = _option(key)(function)
        return function

    return decorate


def _option(key: Key) -> Callable[[F], F]:
    text = key.help.replace("`", "")
    if isinstance(key.kind, OnOff):
        return click.option(f"--{key.flag}/--no-{key.flag}", default=None, help=text)
    return click.option(
        f"--{key.flag}",
        metavar=key.metavar,
        help=_with_bounds(text, key),
        shell_complete=_words(key),
    )


def _with_bounds(text: str, key: Key) -> str:
    match key.kind:
        case WholeNumber(least, most):
            return f"{text.rstrip('.')} ({least}-{most})."
        case Choice(words):
            return f"{text.rstrip('.')} ({', '.join(words)})."
        case Cidr():
            return f"{text.rstrip('.')}, or '{AUTO}': the next that is free."
        case _:
            return text


def _words(key: Key) -> Callable[..., list[CompletionItem]]:
    """The completions for the flag's value in a shell: the words that are known."""
    words: list[str] = []
    if isinstance(key.kind, Choice):
        words = list(key.kind.words)
    elif isinstance(key.kind, Cidr):
        words = [AUTO]

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]

    return complete
