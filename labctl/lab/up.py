"""Bringing a lab up, phase by phase; each phase finds what an earlier run left and goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from labctl.choice import refuse_change, settle_provider
from labctl.drills.journal import undo_left
from labctl.errors import LabError
from labctl.imageplan import Installed
from labctl.lab.collect import collect_logs
from labctl.lab.current import make_current
from labctl.lab.machines import ensure_images_of, ensure_provider, packages_of
from labctl.lab.prepare import render_lab
from labctl.lab.saved import save_spec, save_timings
from labctl.layout import resolve
from labctl.model import Spec, Topology
from labctl.progress import Progress, Timings
from labctl.providers import facts_of
from labctl.provisioner import Outcome, provision
from labctl.ready import wait_ready
from labctl.vagrant import VagrantMachines
from labctl.workdir import Workdir

READY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Brought:
    """A lab that is up: what it is made of, what this run did, and how long each phase took."""

    topology: Topology
    packages: Mapping[str, Installed]
    outcome: Outcome
    timings: Timings


def bring_up(
    spec: Spec, data: Mapping[str, Any], *, workdir: Workdir, progress: Progress, refresh: bool
) -> Brought:
    """From a spec to a conference-ready lab.

    The caller holds the lab's lock.  Killed at any instant, the same call goes on: images and
    machines that are there are used, files that are in place are left, and nothing that did not
    change is restarted.  Errors: LabError of the phase that failed; its log is named.
    """
    timings = Timings()
    named = "provider" in data
    spec = settle_provider(spec, named=named, workdir=workdir, progress=progress)
    refuse_change(spec, workdir=workdir)
    with timings.phase("host"):
        ensure_provider(spec.provider, progress=progress)
        facts_of(spec.provider).check_network(workdir, resolve(spec))
    with timings.phase("images"):
        last = workdir.load_topology() if workdir.exists() else None
        images = ensure_images_of(spec, progress=progress, refresh=refresh, running=last)
        packages = packages_of(spec.provider, images)
    with timings.phase("render"):
        topology = resolve(spec).with_images(images)
        render_lab(workdir, topology)
        workdir.save_topology(topology)
        save_spec(workdir, data)
        make_current(workdir)
    with timings.phase("machines"):
        machines = VagrantMachines(workdir, topology)
        machines.up(progress=progress)
        undo_left(workdir, topology, progress=progress)
    with logs_on_failure(workdir, topology, progress=progress):
        with timings.phase("provision"):
            log = workdir.logs / "provision.log"
            outcome = provision(workdir, topology, progress=progress, log=log)
        with timings.phase("ready"):
            wait_ready(workdir, topology, seconds=READY_SECONDS, progress=progress)
    save_timings(workdir, timings)
    return Brought(topology, packages, outcome, timings)


@contextmanager
def logs_on_failure(workdir: Workdir, topology: Topology, *, progress: Progress) -> Iterator[None]:
    """When nodes run and do not get ready, their logs are the answer: bring them here."""
    try:
        yield
    except LabError as error:
        error.log = collect_logs(workdir, topology, progress=progress)
        raise


def render_only(spec: Spec, *, workdir: Workdir) -> Topology:
    """Write the trees of a spec without images or machines.

    A lab that runs keeps its topology: its trees are what the next `up` would place.  The spec's
    provider is settled.
    """
    refuse_change(spec, workdir=workdir)
    topology = resolve(spec)
    render_lab(workdir, topology)
    if not workdir.exists():
        workdir.save_topology(topology)
    return topology


def tear_down(workdir: Workdir, *, progress: Progress, forget: bool) -> None:
    """Remove the lab's machines and network; with `forget` everything else of it, too.

    Works on whatever a broken `up` left, and on a lab of which only the folder is there.
    """
    topology = workdir.load_topology()
    VagrantMachines(workdir, topology).destroy(progress=progress)
    if forget:
        from labctl.lab.current import forget_current

        forget_current(workdir)
        try:
            shutil.rmtree(workdir.path)
        except OSError as error:
            raise LabError(
                f"'{workdir.path}' cannot be removed: {error.strerror}.",
                hint="Remove the folder by hand; its machines are gone already.",
            ) from error
