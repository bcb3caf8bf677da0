"""The checks by name, what each needs to be told, and all of an exercise run at the same time."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from labctl.core.errors import LabError
from labctl.training.checks.base import CheckContext
from labctl.training.checks.checked import Checked
from labctl.training.checks.health import check_acceptance, check_health
from labctl.training.checks.people import check_hall, check_seats, check_sound
from labctl.training.checks.scripts import check_answers, check_script
from labctl.training.exercise import CheckCall, Exercise

AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Check:
    """A check of the library; `must` and `may` are the keys of its table."""

    run: Callable[[CheckContext], Iterator[str]]
    what: str
    must: Mapping[str, type] = field(default_factory=dict)
    may: Mapping[str, type] = field(default_factory=dict)


CHECKS: Mapping[str, Check] = {
    "health": Check(
        check_health,
        "what 'labctl doctor --lab' looks for: nodes, units, ports, bridges, vnodes, sound",
        may={"except": list, "sound": bool},
    ),
    "sound": Check(check_sound, "sound passes through bridges", may={"bridges": list}),
    "hall": Check(check_hall, "a visitor on a vnode sees the stage", must={"vnode": str}),
    "seats": Check(check_seats, "how many people a conference takes", must={"seats": int}),
    "script": Check(
        check_script,
        "a script on a node prints what is wrong and fails",
        must={"on": str, "run": str},
    ),
    "answers": Check(
        check_answers,
        "a file on a node has the right answers",
        must={"on": str, "file": str, "answers": dict},
    ),
    "acceptance": Check(
        check_acceptance, "tests of the acceptance suite pass", must={"tests": list}
    ),
}


def problems_of(exercise: Exercise) -> list[str]:
    """What is wrong with the checks that an exercise names; nothing if it can be used."""
    found = []
    for number, call in enumerate(exercise.checks, start=1):
        found += [f"check {number}: {said}" for said in _problems(call, exercise)]
    return found


def run_checks(context: CheckContext, calls: Sequence[CheckCall]) -> list[Checked]:
    """Run checks at the same time; their results in the order in which the exercise names them."""

    def one(call: CheckCall) -> Checked:
        given = replace(context, given=call.given)
        try:
            return Checked(call.name, tuple(CHECKS[call.name].run(given)))
        except LabError as error:
            return Checked(call.name, (error.message,))

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        return list(pool.map(one, calls))


def _problems(call: CheckCall, exercise: Exercise) -> Iterator[str]:
    check = CHECKS.get(call.name)
    if check is None:
        near = difflib.get_close_matches(call.name, CHECKS, n=1)
        meant = f" Did you mean '{near[0]}'?" if near else f" There are {', '.join(CHECKS)}."
        yield f"there is no check '{call.name}'.{meant}"
        return
    known = {**check.must, **check.may}
    yield from (f"'{call.name}' needs '{key}'" for key in check.must if key not in call.given)
    for key, value in call.given.items():
        if key not in known:
            yield f"'{call.name}' has no key '{key}'"
        elif type(value) is not known[key]:
            yield f"'{key}' of '{call.name}' is not a {known[key].__name__}"
    run = call.given.get("run")
    if "run" in check.must and isinstance(run, str) and not (exercise.folder / run).is_file():
        yield f"'{run}' is missing"
