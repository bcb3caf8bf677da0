"""Parts of a crowd on a lab's other machines: a container for each process, in the lab's network.

Docker's client starts it with this machine's input and output, and it ends and is removed when its
input ends: when the crowd has left, when labctl was killed, and when the connection is lost.
"""

from __future__ import annotations

from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.providers.base import CrowdHost
from labctl.providers.docker.command import (
    docker,
    environ_of,
    lab_filters,
    lab_labels,
    label_words,
)
from labctl.providers.docker.crowdimage import ensure_crowd_image
from labctl.providers.docker.overlay import RANGE_LENGTH
from labctl.providers.docker.parcel import send_to
from labctl.providers.docker.swarm import check_swarm
from labctl.topology.hosts import HERE, host_name
from labctl.topology.lab import Lab
from labctl.topology.workdir import Workdir

CROWD_LABEL = "labctl.crowd"
"""Not the label of nodes: `up` and `status` leave a crowd alone, and `destroy` finds it."""

CONFINED = (
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only"),
    *("--user", "65534:65534"),
)
"""It connects to the JMS and writes no file.  The user is Debian's 'nobody'."""

RUN_OPTIONS = (
    *("--rm", "--interactive", "--pull", "never"),
    # Its output is read here; the engine would write all of it to a file.
    *("--log-driver", "none"),
    # Its input's end lets it leave in order, a signal to the client here would not.
    "--sig-proxy=false",
)


def crowd_hosts(lab: Lab, *, processes: int, progress: Progress) -> tuple[CrowdHost, ...]:
    """See `labctl.providers.base.Provider`.

    Errors: LabError if a machine does not answer, the lab has no network, or the network has not
    enough addresses for so many processes.
    """
    machines = lab.topology.machines
    others = [host for host in machines if host != HERE]
    if not others:
        return ()
    check_addresses(len(machines), processes=processes)
    check_swarm(machines)
    network = _network_id(lab.folder)
    image = ensure_crowd_image(lab.topology.spec.debian, progress=progress)
    send_to({host: [image] for host in others}, progress=progress)
    python = (
        *("docker", "run", *RUN_OPTIONS, *CONFINED, "--network", network),
        *label_words(lab_labels(lab.folder, label=CROWD_LABEL)),
        *(image, "python3", "-P"),
    )
    return tuple(
        CrowdHost(
            host_name(host),
            python,
            environ_of(host),
            f"Run 'DOCKER_HOST={host} docker info' until it answers, then the crowd again. What is"
            " left of it on that machine leaves by itself, and 'labctl destroy' removes it.",
        )
        for host in others
    )


def check_addresses(machines: int, *, processes: int) -> None:
    """Whether Docker has an address for each process, besides its own one for each machine."""
    most = (2 ** (32 - RANGE_LENGTH) - machines) // (machines - 1)
    if processes > most:
        raise LabError(
            f"The lab's network has addresses for {most} processes of a crowd on each of"
            f" {machines - 1} other machines, and not for {processes}.",
            hint=f"'--processes {most}' or fewer: one for each core is best.",
        )


def remove_crowd(workdir: Workdir, host: str) -> None:
    """Remove what crowds have left on a machine that lost its connection to this one."""
    filters = lab_filters(workdir, label=CROWD_LABEL)
    ids = docker("ps", "--all", "--quiet", *filters, at=host).split()
    if ids:
        # Some may be about to be removed by their engine.
        docker("rm", "--force", "--volumes", *ids, check=False, at=host)


def _network_id(workdir: Workdir) -> str:
    """The id of the lab's network: another machine may have one of its own with the same name."""
    words = ("network", "ls", "--quiet", "--no-trunc", *lab_filters(workdir))
    found = docker(*words).split()
    if not found:
        raise LabError(
            f"Lab '{workdir.lab}' has no network, so nobody can join it from another machine.",
            hint="Run 'labctl up' first.",
        )
    return found[0]
