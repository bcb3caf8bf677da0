"""Man pages, made by click-man from the verbs themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
from click_man.man import ManPage

from labctl import __version__
from labctl.cli.main import VERBS
from labctl.cli.richhelp import split_examples
from labctl.core.exits import MEANINGS, OTHERS

FILES = {
    "lab.conf": "The lab, as HOCON; see 'labctl init' and 'labctl config explain'.",
    ".lab/NAME/": "The folder of a lab: topology, secrets, keys, rendered files, logs.",
}
ENVIRONMENT = {
    "LABCTL_LAB": "The lab that is meant if '--lab' is not given.",
    "LABCTL_DEBUG": "If set, a defect of labctl is shown with its traceback.",
    "NO_COLOR": "If set, nothing is coloured.",
}


def page_name(path: tuple[str, ...]) -> str:
    """The name of a verb's page: `labctl-drill-run`; `labctl` for an empty path."""
    return "-".join(("labctl", *path))


def all_paths(root: click.Group) -> Iterator[tuple[str, ...]]:
    """The path of each verb, of those below it, and of the program itself."""

    def below(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                inner = command.get_command(click.Context(command), name)
                assert inner is not None
                yield from below(inner, (*path, name))

    yield from below(root, ())


def render_page(context: click.Context, path: tuple[str, ...]) -> str:
    """One page as roff; `context` is that of the verb at `path`."""
    command = context.command
    prose, examples = split_examples(command.help or "")
    page = ManPage(page_name(path))
    page.version, page.date = __version__, ""
    # The first sentence; apropos(1) shows it.
    page.short_help = _plain(" ".join(prose.split("\n\n")[0].split()).rstrip("."))
    page.synopsis = _words(" ".join(command.collect_usage_pieces(context)))
    page.description = _plain(_paragraphs(prose))
    page.options = [
        (_words(record[0]), _plain(record[1]))
        for param in command.get_params(context)
        if isinstance(param, click.Option) and (record := param.get_help_record(context))
    ]
    page.commands = list(_commands(command, path))
    # click-man writes the page's name as the program's.
    typed = " ".join(("labctl", *path))
    text = str(page).replace(f"\n.B {page_name(path)}\n", f"\n.B {typed}\n", 1)
    return text + "".join(_sections(examples, is_program=not path))


def _commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if not path:
        yield from ((name, _plain(verb.help)) for name, verb in VERBS.items())
    elif isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield name, _plain(inner.get_short_help_str(limit=1000))


def _sections(examples: list[str], *, is_program: bool) -> Iterator[str]:
    if examples:
        lines = "\n".join(_plain(line) for line in examples)
        yield f".SH EXAMPLES\n.nf\n{lines}\n.fi\n"
    statuses = {str(int(code)): words for code, words in MEANINGS.items()}
    if is_program:
        yield f".SH EXIT STATUS\n{_terms(statuses)}.PP\n{_plain(OTHERS)}\n"
        yield f".SH ENVIRONMENT\n{_terms(ENVIRONMENT)}"
        yield f".SH FILES\n{_terms(FILES)}"
    else:
        yield ".SH SEE ALSO\n\\fBlabctl\\fP(1)\n"


def _terms(terms: dict[str, str]) -> str:
    return "".join(f".TP\n\\fB{_plain(name)}\\fP\n{_plain(what)}\n" for name, what in terms.items())


def _paragraphs(text: str) -> str:
    """Each paragraph on one line, so that only what separates them is an empty line."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _words(text: str) -> str:
    """The names of an option: click-man quotes their dashes itself."""
    return text.replace("\\", "\\e")


def _plain(text: str) -> str:
    """Text without a meaning of its own in roff."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^(?=[.'])", r"\\&", text)
