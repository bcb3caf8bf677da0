"""`labctl verify`."""

from __future__ import annotations

import click

from labctl.cli.common import lab_option, workdir_of


@click.command("verify", context_settings={"ignore_unknown_options": True})
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED)
@lab_option
def verify_command(pytest_args: tuple[str, ...], lab: str | None) -> int:
    """Run the acceptance tests against the lab; the exit status is pytest's own.

    What follows is for pytest: '-m MARKER' chooses (ports, services, brewery, visitors,
    failover ...), '-k WORD' finds, '--junitxml FILE' reports.

    \b
    labctl verify
    labctl verify -m 'not slow'
    labctl verify -m failover -v
    """
    from labctl.lab.verify import verify

    return verify(workdir_of(lab), pytest_args)
