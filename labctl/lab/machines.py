"""What a lab stands on: the provider's programs, and images for its roles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from labctl.errors import LabError
from labctl.host import ensure_host
from labctl.imageplan import Installed
from labctl.images import ensure_images
from labctl.model import PackageSource, Provider, Role, Spec, Topology, VisitorsLayout
from labctl.progress import NOTICE, Progress
from labctl.providers import facts_of

KEPT = (
    "This lab was made of STAND-INS, not Jitsi's software, and keeps them; "
    "'labctl up --refresh' asks Jitsi's repository again."
)


def ensure_provider(provider: Provider, *, progress: Progress) -> None:
    """Install and start what the provider needs; nothing where all is there."""
    facts = facts_of(provider)
    ensure_host(facts.needs, progress=progress)
    facts.ensure(progress)


def roles_of(spec: Spec) -> tuple[Role, ...]:
    """The roles that a lab has nodes of."""
    roles = [Role.JMS]
    if spec.jvbs:
        roles.append(Role.JVB)
    if spec.visitors and spec.visitors_layout is VisitorsLayout.NODES:
        roles.append(Role.VISITORS)
    return tuple(roles)


def ensure_images_of(
    spec: Spec,
    *,
    progress: Progress,
    refresh: bool = False,
    running: Topology | None = None,
    jobs: int | None = None,
) -> dict[Role, str]:
    """The image of every role that the lab needs, baked where it is missing.

    `running` is the lab as it was brought up the last time: with source 'auto' a lab that was
    made of stand-ins stays what it is until `refresh`, whether or not Jitsi's repository has
    begun to answer.  A class does not get another lab because somebody changed a setting.
    """
    packages = spec.packages
    if packages.source is PackageSource.AUTO and not refresh and _has_stand_ins(running):
        packages = replace(packages, source=PackageSource.STAND_INS)
        progress(NOTICE, KEPT)
    store = facts_of(spec.provider).images
    return ensure_images(
        roles_of(spec), packages, store=store, progress=progress, force=refresh, jobs=jobs
    )


def packages_of(provider: Provider, images: Mapping[Role, str]) -> dict[str, Installed]:
    """What the images hold, by package."""
    store = facts_of(provider).images
    found: dict[str, Installed] = {}
    for reference in images.values():
        found |= store.packages(reference)
    return found


def _has_stand_ins(topology: Topology | None) -> bool:
    if topology is None or not topology.jms.image:
        return False
    try:
        packages = facts_of(topology.provider).images.packages(topology.jms.image)
    except LabError:
        # The image has gone: nothing to keep.
        return False
    return any(item.stand_in for item in packages.values())
