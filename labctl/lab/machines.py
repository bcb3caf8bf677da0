"""What a lab stands on: the provider's programs, and images for its roles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from labctl.engine import ensure_engine
from labctl.errors import LabError
from labctl.host import ensure_host
from labctl.imageplan import Installed
from labctl.images import ensure_images, image_packages
from labctl.model import PackageSource, Provider, Role, Spec, Topology, VisitorsLayout
from labctl.progress import NOTICE, Progress

KEPT = (
    "This lab was made of STAND-INS, not Jitsi's software, and keeps them; "
    "'labctl up --refresh' asks Jitsi's repository again."
)


def ensure_provider(provider: Provider, *, progress: Progress) -> None:
    """Install and start what the provider needs; nothing where all is there."""
    ensure_host(provider, progress=progress)
    ensure_engine(progress=progress)


def roles_of(spec: Spec) -> tuple[Role, ...]:
    """The roles that a lab has nodes of."""
    roles = [Role.JMS]
    if spec.jvbs:
        roles.append(Role.JVB)
    if spec.visitors and spec.visitors_layout is VisitorsLayout.NODES:
        roles.append(Role.VISITORS)
    return tuple(roles)


def ensure_images_of(
    spec: Spec, *, progress: Progress, refresh: bool = False, running: Topology | None = None
) -> dict[Role, str]:
    """The image of every role that the lab needs, baked where it is missing.

    `running` is the lab as it was brought up the last time: with source 'auto' a lab that was
    made of stand-ins stays what it is until `refresh`, whether or not Jitsi's repository has
    begun to answer.  A class does not get another lab because somebody changed a setting.
    """

    def tell(phase: str, message: str) -> None:
        progress(phase if phase == NOTICE else "images", message, node=phase)

    packages = spec.packages
    if packages.source is PackageSource.AUTO and not refresh and _has_stand_ins(running):
        packages = replace(packages, source=PackageSource.STAND_INS)
        progress(NOTICE, KEPT)
    return ensure_images(roles_of(spec), packages, progress=tell, force=refresh)


def packages_of(images: Mapping[Role, str]) -> dict[str, Installed]:
    """What the images hold, by package."""
    found: dict[str, Installed] = {}
    for reference in images.values():
        found |= image_packages(reference)
    return found


def _has_stand_ins(topology: Topology | None) -> bool:
    if topology is None or not topology.jms.image:
        return False
    try:
        return any(item.stand_in for item in image_packages(topology.jms.image).values())
    except LabError:
        # The image has gone: nothing to keep.
        return False
