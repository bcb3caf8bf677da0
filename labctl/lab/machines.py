"""What a lab needs: the provider's programs, and images for its roles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from labctl.core.errors import LabError
from labctl.core.progress import NOTICE, Progress
from labctl.host.install import ensure_host
from labctl.host.user import unknown_user
from labctl.images.make import ensure_images
from labctl.images.plan import Installed
from labctl.providers.table import provider_of
from labctl.topology.layout import roles_of
from labctl.topology.model import Topology
from labctl.topology.spec import Packages, PackageSource, ProviderName, Role, Spec

KEPT = (
    "This lab was built with STAND-INS, not Jitsi's software, and keeps them; "
    "'labctl up --refresh' asks Jitsi's repository again."
)


def ensure_provider(provider: ProviderName, *, progress: Progress) -> None:
    """Install and start what the provider needs; does nothing if all of it is there."""
    if (error := unknown_user()) is not None:
        raise error
    found = provider_of(provider)
    ensure_host(found.needs, progress=progress)
    found.ensure(progress)


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
    packages = wanted_packages(spec, running=running, refresh=refresh)
    if packages != spec.packages:
        progress(NOTICE, KEPT)
    store = provider_of(spec.provider).images
    return ensure_images(
        roles_of(spec),
        packages,
        store=store,
        progress=progress,
        force=refresh,
        jobs=jobs,
        release=spec.debian,
    )


def wanted_packages(spec: Spec, *, running: Topology | None, refresh: bool) -> Packages:
    """Where the lab's packages come from: as its spec says, or still from stand-ins."""
    packages = spec.packages
    if packages.source is PackageSource.AUTO and not refresh and _has_stand_ins(running):
        return replace(packages, source=PackageSource.STAND_INS)
    return packages


def packages_of(provider: ProviderName, images: Mapping[Role, str]) -> dict[str, Installed]:
    """What the images hold, by package."""
    store = provider_of(provider).images
    found: dict[str, Installed] = {}
    for reference in images.values():
        found |= store.packages(reference)
    return found


def _has_stand_ins(topology: Topology | None) -> bool:
    if topology is None or not topology.jms.image:
        return False
    try:
        packages = provider_of(topology.provider).images.packages(topology.jms.image)
    except LabError:
        # The image has gone: nothing to keep.
        return False
    return any(item.stand_in for item in packages.values())
