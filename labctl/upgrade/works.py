"""Whether packages that configured themselves do their work: services, modules, configuration."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from labctl.core.errors import LabError
from labctl.core.waiting import wait_until
from labctl.node.reach import reach
from labctl.node.script import ShellScript
from labctl.ready.probe import NodeState, probe
from labctl.topology.roles import BRIDGE, COTURN, JICOFO, NGINX, PROSODY
from labctl.upgrade.call import open_call
from labctl.upgrade.machine import Machine
from labctl.upgrade.model import Observation, Symptom

READY_SECONDS = 120.0
INTERVAL = 1.0
CONFIG_LINES = 12
LAST_ERRORS = 4
TURN_PACKAGE = "jitsi-meet-turnserver"
TOKENS_PACKAGE = "jitsi-meet-tokens"
_ACTIVE = "systemctl is-active {unit}"
_CHECK = "prosodyctl check config 2>&1"
_NGINX = "nginx -t 2>&1"
# Of the last start only.  If a provider of logins cannot be loaded, that is no error of a module,
# but nobody gets in.
_ERRORS = """
awk '/Hello and welcome to Prosody/ { found = "" }
    /Error initializing module|Unable to load module/ { found = found $0 "\\n" }
    END { printf "%s", found }' /var/log/prosody/prosody.log
"""


def check_works(machine: Machine, packages: Collection[str]) -> tuple[Observation, ...]:
    """What does not work on a machine that has these packages of Jitsi's.

    The services must run, Jicofo must have an operational bridge, Prosody must have loaded all of
    its modules.  What `prosodyctl` and nginx say of the files is seen as well.
    """
    return (*_running(machine, packages), *_modules(machine), *_configuration(machine))


def _running(machine: Machine, packages: Collection[str]) -> Iterator[Observation]:
    missing: list[tuple[str, str, str]] = []

    def look() -> bool:
        state = probe(machine.lab, machine.node)
        missing[:] = list(_missing(machine, state, packages))
        return not missing

    deadline = machine.lab.patience.deadline(READY_SECONDS)
    if wait_until(look, deadline=deadline, interval=INTERVAL):
        return
    said = last_errors(machine)
    for subject, package, text in missing:
        yield Observation(Symptom.NOT_READY, machine.name, subject, text, package, evidence=said)


def _missing(
    machine: Machine, state: NodeState, packages: Collection[str]
) -> Iterator[tuple[str, str, str]]:
    if state.error:
        yield machine.name, "", state.error
        return
    for unit in (PROSODY, NGINX, JICOFO, BRIDGE):
        seen = state.units.get(unit.name)
        if unit.package in packages and (seen is None or seen.active != "active"):
            what = "is not there" if seen is None else f"is {seen.active} ({seen.sub})"
            yield unit.name, unit.package, f"{what} after {READY_SECONDS:.0f} s."
    if TURN_PACKAGE in packages:
        work = ShellScript(_ACTIVE.format(unit=COTURN.name))
        said = reach(machine.lab).run(machine.name, work, check=False).output.strip()
        if said != "active":
            yield COTURN.name, TURN_PACKAGE, f"is {said}."
    if JICOFO.package in packages and BRIDGE.package in packages:
        count = state.stats.operational if state.stats is not None else None
        if not count:
            text = "Jicofo does not answer." if count is None else "has no operational bridge."
            yield JICOFO.name, JICOFO.package, text


def _modules(machine: Machine) -> Iterator[Observation]:
    answer = reach(machine.lab).run(machine.name, ShellScript(_ERRORS), sudo=True, check=False)
    for line in dict.fromkeys(line.strip() for line in answer.output.splitlines() if line.strip()):
        yield Observation(Symptom.NOT_READY, machine.name, PROSODY.name, line, PROSODY.package)


def _configuration(machine: Machine) -> Iterator[Observation]:
    checks = (("prosodyctl check config", _CHECK, PROSODY), ("nginx -t", _NGINX, NGINX))
    for name, script, unit in checks:
        answer = reach(machine.lab).run(machine.name, ShellScript(script), sudo=True, check=False)
        if answer.code != 0:
            lines = tuple(line for line in answer.output.splitlines() if line.strip())
            text = f"ends with exit status {answer.code}: {answer.last_words}"
            yield Observation(
                Symptom.CONFIG,
                machine.name,
                name,
                text,
                unit.package,
                evidence=lines[-CONFIG_LINES:],
            )


def check_call(machine: Machine) -> tuple[Observation, ...]:
    """A call of two through what the packages have configured."""
    try:
        with open_call(machine.lab, target=machine.target()):
            return ()
    except LabError as error:
        said = last_errors(machine)
        return (
            Observation(Symptom.CALL, machine.name, "call of two", error.message, evidence=said),
        )


def last_errors(machine: Machine) -> tuple[str, ...]:
    """The last errors in the logs of the services: they say why people do not get in."""
    parts = (
        f"grep -hE '{unit.error_lines or '.'}' {unit.error_log} 2>/dev/null | tail -n {LAST_ERRORS}"
        for unit in (PROSODY, JICOFO, BRIDGE)
    )
    work = ShellScript("\n".join(parts))
    answer = reach(machine.lab).run(machine.name, work, sudo=True, check=False)
    return tuple(line for line in answer.output.splitlines() if line.strip())
