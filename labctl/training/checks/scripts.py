"""Checks by what a script on a node says, and by the answers that a student has written down."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.node.reach import reach
from labctl.node.script import ShellScript
from labctl.node.seam import NodeError
from labctl.training.checks.base import CheckContext
from labctl.training.surroundings import holder_of, prelude

SECONDS = 60.0


def check_script(context: CheckContext) -> Iterator[str]:
    """A script of the exercise, run as root on a node: it prints what is wrong, a line each, and
    ends with an exit status other than zero."""
    node = holder_of(context.lab, context.text("on"))
    notes = {**context.notes, "began": str(int(context.began))}
    text = (context.exercise.folder / context.text("run")).read_text(encoding="utf-8")
    work = ShellScript(prelude(context.lab, node, notes=notes) + text)
    try:
        answer = reach(context.lab).run(node.name, work, sudo=True, seconds=SECONDS, check=False)
    except NodeError as error:
        yield error.message
        return
    said = [line.strip() for line in answer.output.splitlines() if line.strip()]
    if answer.code != 0:
        yield from said or [f"'{context.text('run')}' on '{node.name}': {answer.last_words}"]


def check_answers(context: CheckContext) -> Iterator[str]:
    """A file on a node has the right answers, in lines such as 'bridge = jvb1'.

    `answers` says for each question what is right: a text, or `{name}` for something that was noted
    when the exercise began."""
    node, file = holder_of(context.lab, context.text("on")), context.text("file")
    work = ShellScript(f'cat "{file}"')
    try:
        answer = reach(context.lab).run(node.name, work, sudo=True, seconds=SECONDS, check=False)
    except NodeError as error:
        yield error.message
        return
    if answer.code != 0:
        yield f"There is no file '{file}' on '{node.name}': your answers belong there."
        return
    given = parse_answers(answer.output)
    for question, right in context.given["answers"].items():
        wanted = str(right).format_map(dict(context.notes))
        found = given.get(question.lower(), "")
        if not found:
            yield f"The question '{question}' has no answer in '{file}' on '{node.name}'."
        elif found.lower() != wanted.lower():
            yield f"'{question} = {found}' is not what the logs say."


def parse_answers(text: str) -> dict[str, str]:
    """Questions and answers; lines that are not of this form, and comments, are ignored."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {
        key.strip().lower(): value.strip().strip("'\"")
        for key, value in pairs
        if not key.strip().startswith("#")
    }
