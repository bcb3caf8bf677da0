"""Brings a lab up, phase by phase; each phase continues from what an earlier run left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Thread
from typing import Any

from labctl.core.errors import LabError
from labctl.core.progress import NOTICE, Progress, Timings
from labctl.core.state import Flaw, StateError
from labctl.images.plan import Installed
from labctl.lab.collect import collect_logs
from labctl.lab.current import make_current
from labctl.lab.expect import Expected, find_expected, has_machines, note_duration, shape_of
from labctl.lab.fit import available_mib, check_fit
from labctl.lab.inotify import refuse_shortage
from labctl.lab.machines import ensure_images_of, ensure_provider, packages_of
from labctl.lab.network import check_machine, settle_network
from labctl.lab.prepare import render_lab
from labctl.lab.saved import save_spec, save_timings
from labctl.providers.choice import refuse_change, resolve_provider
from labctl.providers.vagrant import VagrantMachines
from labctl.topology.keys import AUTO_NETWORK
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.model import Topology
from labctl.topology.spec import Role, Spec
from labctl.topology.workdir import Workdir
from provision.outcome import ProvisionOutcome
from provision.run import provision

READY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Brought:
    """A lab that is up: what it is made of, what this run did, and how long each phase took.

    `expected` is what was expected of this run, if its machines were made anew.
    """

    lab: Lab
    packages: Mapping[str, Installed]
    outcome: ProvisionOutcome
    timings: Timings
    expected: Expected | None = None


@dataclass(frozen=True, slots=True)
class Among:
    """What was settled for a lab together with others that come up at the same time.

    Their images exist, and their memory was planned.
    """

    images: Mapping[Role, str]
    at_once: int = 1

    @property
    def pace(self) -> str:
        """What this adds to the shape of a lab: labs beside each other are slower."""
        return f", {self.at_once} at once" if self.at_once > 1 else ""


def bring_up(
    spec: Spec,
    data: Mapping[str, Any],
    *,
    workdir: Workdir,
    progress: Progress,
    refresh: bool,
    among: Among | None = None,
) -> Brought:
    """From a spec to a media-ready lab, alone or `among` others.

    The caller holds the lab's lock.  If it is killed at any instant, the same call continues:
    existing images, machines and files are used, and only what changed is restarted.  Errors:
    LabError of the phase that failed; its log is named."""
    timings = Timings()
    Thread(target=_load_later, daemon=True).start()
    named = "provider" in data
    last = last_topology(workdir, progress=progress)
    spec = resolve_provider(spec, named=named, workdir=workdir, progress=progress)
    refuse_change(spec, workdir=workdir)
    with timings.phase("host"):
        if among is None:
            refuse_shortage([spec], running=0 if last is None else len(last.nodes))
            if last is None:  # else its machines already have their memory
                check_fit(spec, available=available_mib(), progress=progress)
        ensure_provider(spec.provider, progress=progress)
        spec = settle_network(spec, workdir=workdir, progress=progress)
    with timings.phase("images"):
        if among is None:
            images = ensure_images_of(spec, progress=progress, refresh=refresh, running=last)
        else:
            images = dict(among.images)
        packages = packages_of(spec.provider, images)
    with timings.phase("render"):
        lab = Lab(workdir, resolve(spec).with_images(images))
        render_lab(lab)
        workdir.save_topology(lab.topology)
        save_spec(workdir, data)
        make_current(workdir)
    made_anew = not has_machines(workdir)
    shape = shape_of(lab.topology, stand_ins=any(it.stand_in for it in packages.values()))
    shape += among.pace if among is not None else ""
    expected = find_expected(shape) if made_anew else None
    if expected is not None:
        progress("expected", str(expected))
    with timings.phase("machines"):
        VagrantMachines(lab, timings=timings).up(progress=progress)
        # Its patience is known only now: the machines' own.
        lab = Lab.load(workdir)
        if workdir.drill_file.exists():
            from labctl.drills.journal import undo_left

            undo_left(lab, progress=progress)
    with logs_on_failure(lab, progress=progress):
        with timings.phase("provision"):
            log = workdir.logs / "provision.log"
            outcome = provision(lab, progress=progress, log=log, timings=timings)
        with timings.phase("ready"):
            from labctl.lab.rotation import settle_rotation
            from labctl.ready import wait_ready

            wait_ready(lab, seconds=READY_SECONDS, progress=progress, timings=timings)
            settle_rotation(lab, progress=progress)
    save_timings(workdir, timings)
    if made_anew:
        note_duration(shape, timings)
    return Brought(lab, packages, outcome, timings, expected)


def _load_later() -> None:
    """Import what is needed when the nodes run: nearly half of all that `up` imports.

    Until then labctl mostly waits for other programs, so this costs no time.
    """
    import labctl.crowd.media.placed
    import labctl.crowd.media.waits
    import labctl.ready  # noqa: F401


def last_topology(workdir: Workdir, *, progress: Progress) -> Topology | None:
    """The lab as it was brought up the last time; a damaged file is reported and written again.

    Errors: StateError for a file that is not this lab's or of a newer labctl.
    """
    if not workdir.exists():
        return None
    try:
        return workdir.load_topology()
    except StateError as error:
        if error.flaw is not Flaw.DAMAGED:
            raise
        progress(NOTICE, f"{error.message} It is now written again.")
        return None


@contextmanager
def logs_on_failure(lab: Lab, *, progress: Progress) -> Iterator[None]:
    """If nodes run but do not become ready, collect their logs: they say why."""
    try:
        yield
    except LabError as error:
        error.log = collect_logs(lab, progress=progress)
        raise


def render_only(spec: Spec, *, workdir: Workdir, progress: Progress) -> Topology:
    """Write the trees of a spec without images or machines.

    A lab that runs keeps its topology: its trees are what the next `up` would place.  The spec's
    provider is settled.
    """
    refuse_change(spec, workdir=workdir)
    if spec.network == AUTO_NETWORK:
        check = partial(check_machine, workdir=workdir)
        spec = settle_network(spec, workdir=workdir, progress=progress, check=check)
    lab = Lab(workdir, resolve(spec))
    render_lab(lab)
    if workdir.find_topology() is None:
        workdir.save_topology(lab.topology)
    return lab.topology
