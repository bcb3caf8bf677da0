"""The group of all verbs, which are loaded when they are used, and the only error boundary."""

from __future__ import annotations

import importlib
import io
import os
import sys
from enum import StrEnum
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem

from labctl import __version__
from labctl.cli.options import add_verbose, verbose_option
from labctl.core.errors import LabError
from labctl.core.exits import MEANINGS, OTHERS, ExitCode


class VerbGroup(StrEnum):
    """The headings under which the verbs are listed, in this order."""

    DESCRIBE = "Describe a lab"
    RUN = "Run a lab"
    LOOK = "Look into a lab"
    TRY = "Test and break a lab"
    JUDGE = "Judge packages"
    TEACH = "Teach and learn"
    ITSELF = "This machine and labctl"


class Verb(NamedTuple):
    """A verb without its code: the module that defines it, its short help, its heading."""

    module: str
    help: str
    group: VerbGroup = VerbGroup.ITSELF


# A module is imported when its verb is used: the list of verbs and their completion must not wait
# for slow imports such as cryptography.
VERBS = {
    "init": Verb("init", "Write a commented lab.conf to begin with.", VerbGroup.DESCRIBE),
    "config": Verb(
        "config",
        "Show what lab.conf and flags come to, and what its keys mean.",
        VerbGroup.DESCRIBE,
    ),
    "up": Verb("up", "Bring up a lab, or update and repair an existing one.", VerbGroup.RUN),
    "build": Verb("build", "Make the images that the lab needs.", VerbGroup.RUN),
    "render": Verb(
        "build",
        "Write every node's configuration files, without images and machines.",
        VerbGroup.RUN,
    ),
    "plan": Verb("plan", "Show what 'labctl up' would do; nothing is changed.", VerbGroup.RUN),
    "status": Verb(
        "look", "Show nodes, units, bridges, visitor Prosodies and packages.", VerbGroup.LOOK
    ),
    "graph": Verb(
        "graph",
        "Draw the lab: nodes, addresses, ports, and who opens which connection.",
        VerbGroup.LOOK,
    ),
    "capture": Verb("capture", "Record packets of nodes, for Wireshark.", VerbGroup.LOOK),
    "watch": Verb(
        "watch",
        "Show a running lab live in the terminal: nodes, bridges, vnodes, log.",
        VerbGroup.LOOK,
    ),
    "serve": Verb(
        "serve", "Show a running lab live as a web page on this machine.", VerbGroup.LOOK
    ),
    "metrics": Verb(
        "metrics", "Show and plot what the lab's programs measure, and its alerts.", VerbGroup.LOOK
    ),
    "logs": Verb("look", "Show what nodes have logged.", VerbGroup.LOOK),
    "doctor": Verb(
        "doctor",
        "Check whether this machine can run a lab, or what is wrong with one that runs.",
        VerbGroup.ITSELF,
    ),
    "verify": Verb("verify", "Run the acceptance tests against the lab.", VerbGroup.TRY),
    "crowd": Verb("crowd", "Let participants join a room, stay and leave.", VerbGroup.TRY),
    "drift": Verb(
        "drift", "Compare the packages' own configuration with labctl's.", VerbGroup.JUDGE
    ),
    "contract": Verb(
        "contract", "Check whether the packages do what their originals do.", VerbGroup.JUDGE
    ),
    "report": Verb(
        "verify", "Render the page of a report again from its report.json.", VerbGroup.TRY
    ),
    "drill": Verb("drill", "Break the lab on purpose and check whether it heals.", VerbGroup.TRY),
    "blip": Verb(
        "blip", "Stop the bridges one after another under a running crowd.", VerbGroup.TRY
    ),
    "e2e": Verb("e2e", "Run jitsi-meet's own end-to-end suite against the lab.", VerbGroup.TRY),
    "gate": Verb("gate", "Say yes or no to a set of packages.", VerbGroup.JUDGE),
    "completion": Verb(
        "completion",
        "Print the script that lets a shell complete verbs, options, labs, nodes and drills.",
        VerbGroup.ITSELF,
    ),
    "man": Verb("man", "Print the man page of labctl, or of a verb.", VerbGroup.ITSELF),
    "images": Verb(
        "images", "Show, check and remove the images that labctl has made.", VerbGroup.ITSELF
    ),
    "bundle": Verb(
        "bundle", "Write the lab to a folder for machines without labctl.", VerbGroup.TEACH
    ),
    "ssh": Verb(
        "nodes", "Open a shell on a node, or make other programs know the nodes.", VerbGroup.LOOK
    ),
    "exec": Verb("nodes", "Run a command on a node.", VerbGroup.LOOK),
    "secrets": Verb("secrets", "Show which secrets the lab has, and replace them.", VerbGroup.RUN),
    "rebuild": Verb("rebuild", "Make nodes anew from their images.", VerbGroup.RUN),
    "class": Verb("classroom", "Do exercises on the lab, which check themselves.", VerbGroup.TEACH),
    "halt": Verb("stop", "Stop the lab's machines.", VerbGroup.RUN),
    "down": Verb(
        "stop",
        "Remove the lab's machines and network, but keep its secrets and logs.",
        VerbGroup.RUN,
    ),
    "destroy": Verb("stop", "Remove the lab and everything that belongs to it.", VerbGroup.RUN),
}


class HelpContext(click.Context):
    """A context whose help is rendered by rich-click, which is loaded only then."""

    def get_help(self) -> str:
        from labctl.cli.richhelp import render_help

        if self.command is not cli:
            return render_help(self, {})
        closing = ["Exit status", *(f"{code:>5}  {words}" for code, words in MEANINGS.items())]
        return render_help(self, grouped_verbs(), closing=["\n".join(closing), OTHERS])


def grouped_verbs() -> dict[str, dict[str, str]]:
    """The verbs with their short helps, by heading."""
    return {
        str(group): {name: verb.help for name, verb in VERBS.items() if verb.group is group}
        for group in VerbGroup
        if any(verb.group is group for verb in VERBS.values())
    }


def prepared(command: click.Command) -> click.Command:
    """The command, and those below it, with our help and with `-v`."""
    command.context_class = HelpContext
    add_verbose(command)
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            prepared(inner)
    return command


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used, not when they are listed."""

    context_class = HelpContext

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        found = importlib.import_module(f"labctl.cli.{VERBS[cmd_name].module}")
        command = getattr(found, f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return prepared(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with the nearest verbs for one that does not exist."""
        name = args[0]
        if name not in VERBS and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.NoSuchCommand(name, possibilities=VERBS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Verbs from the table; options as click finds them."""
        verbs = [
            CompletionItem(name, help=verb.help)
            for name, verb in VERBS.items()
            if name.startswith(incomplete)
        ]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="labctl")
def cli() -> None:
    """Build a multi-node Jitsi lab, prove that it works, break it on purpose.

    \b
    labctl up --jvbs 2 --visitors 8     bring up a lab
    labctl status                       what runs, real or stand-in
    labctl verify                       run the acceptance tests
    labctl ssh jvb1                     a shell on a node
    labctl destroy                      remove the lab
    labctl up --help                    options and examples of a verb
    """


cli.params.append(verbose_option())


def main() -> None:
    """Run the command line; errors become text and an exit status here and nowhere else."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal without UTF-8 gets '?' for what it cannot show.
            stream.reconfigure(errors="replace")
    try:
        _prepare_process()
        code = cli.main(prog_name="labctl", standalone_mode=False, color=_color())
    except LabError as error:
        _tell(error)
        sys.exit(error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("labctl: interrupted; run the same command again to continue.", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone (`labctl status | head`), so say nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("LABCTL_DEBUG"):
            raise
        _tell(_unexpected(error))
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _prepare_process() -> None:
    from labctl.core.user import ensure_home, raise_file_limit

    ensure_home()
    raise_file_limit()


def _color() -> bool | None:
    """Whether to write colours; None lets the stream decide.  See https://no-color.org/."""
    return False if os.environ.get("NO_COLOR") else None


def _tell(error: LabError) -> None:
    click.secho("labctl: ", fg="red", bold=True, err=True, nl=False, color=_color())
    click.echo(error.message, err=True)
    if error.hint:
        click.echo(f"Hint: {error.hint}", err=True)
    if error.log:
        click.echo(f"Log: {error.log}", err=True)


def _unexpected(error: Exception) -> LabError:
    """A defect of labctl: the traceback goes to a file, the user gets a sentence."""
    import traceback

    from labctl.core.files import write_file
    from labctl.topology.workdir import state_dir

    path = state_dir() / "crash.log"
    write_file(path, "".join(traceback.format_exception(error)), mode=0o600)
    return LabError(
        f"This is a defect of labctl: {type(error).__name__}: {error}",
        hint="Please report it with the log below. Set LABCTL_DEBUG=1 to see the traceback here.",
        log=path,
    )
