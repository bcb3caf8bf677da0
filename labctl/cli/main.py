"""The group of all verbs, loaded when they are used, and the one error boundary."""

from __future__ import annotations

import importlib
import os
import sys
import traceback

import click

from labctl import __version__
from labctl.errors import LabError

INTERRUPTED = 130

# verb -> module of labctl.cli that defines it; a module is imported when its verb is used, so
# that 'labctl --help' does not wait for cryptography and the like.
VERBS = {
    "up": "up",
    "build": "build",
    "render": "build",
    "status": "look",
    "logs": "look",
    "doctor": "look",
    "verify": "verify",
    "crowd": "crowd",
    "drift": "drift",
    "contract": "contract",
    "report": "verify",
    "drill": "drill",
    "blip": "blip",
    "gate": "gate",
    "images": "images",
    "ssh": "nodes",
    "exec": "nodes",
    "halt": "stop",
    "down": "stop",
    "destroy": "stop",
}


class LazyGroup(click.Group):
    """A group whose commands are imported at use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = VERBS.get(cmd_name)
        if module is None:
            return None
        found = importlib.import_module(f"labctl.cli.{module}")
        command = getattr(found, f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="labctl")
def cli() -> None:
    """Build a multi-node Jitsi lab, prove that it works, break it on purpose.

    \b
    labctl up --jvbs 2 --visitors 8     bring up a lab (JMS, bridges, visitor Prosodies)
    labctl status                       what runs, and whether it is real or a stand-in
    labctl verify                       run the acceptance tests against it
    labctl ssh jvb1                     a shell on a node
    labctl destroy                      remove the lab
    """


def main() -> None:
    """Run the command line; errors become text and an exit status here and nowhere else."""
    try:
        code = cli.main(prog_name="labctl", standalone_mode=False)
    except LabError as error:
        _tell(error)
        sys.exit(error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("labctl: interrupted; the same command again goes on from here.", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone (`labctl status | head`): nothing to tell anybody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("LABCTL_DEBUG"):
            raise
        _tell(_unexpected(error))
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _tell(error: LabError) -> None:
    click.secho("labctl: ", fg="red", bold=True, err=True, nl=False)
    click.echo(error.message, err=True)
    if error.hint:
        click.echo(f"Hint: {error.hint}", err=True)
    if error.log:
        click.echo(f"Log: {error.log}", err=True)


def _unexpected(error: Exception) -> LabError:
    """A defect of labctl: the traceback goes to a file, the person gets a sentence."""
    from labctl.workdir import state_dir, write_file

    path = state_dir() / "crash.log"
    write_file(path, "".join(traceback.format_exception(error)), mode=0o600)
    return LabError(
        f"This is a defect of labctl: {type(error).__name__}: {error}",
        hint="Please report it with the log below; LABCTL_DEBUG=1 shows the traceback at once.",
        log=path,
    )
