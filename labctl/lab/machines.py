"""What a lab stands on: the provider's programs, and images for its roles."""

from __future__ import annotations

from pathlib import Path

from labctl.engine import ensure_engine
from labctl.host import ensure_host
from labctl.imageplan import Installed
from labctl.images import ensure_images, image_packages
from labctl.model import Provider, Role, Spec
from labctl.progress import Progress


def ensure_provider(provider: Provider, *, progress: Progress) -> None:
    """Install and start what the provider needs; nothing where all is there."""
    ensure_host(provider, progress=progress)
    ensure_engine(progress=progress)


def roles_of(spec: Spec) -> tuple[Role, ...]:
    """The roles that a lab has nodes of."""
    roles = [Role.JMS]
    if spec.jvbs:
        roles.append(Role.JVB)
    if spec.visitors:
        roles.append(Role.VISITORS)
    return tuple(roles)


def ensure_images_of(
    spec: Spec, *, progress: Progress, refresh: bool = False, log_dir: Path | None = None
) -> dict[Role, str]:
    """The image of every role that the lab needs, baked where it is missing."""

    def tell(phase: str, message: str) -> None:
        progress("images", message, node=phase)

    return ensure_images(
        roles_of(spec), spec.packages, progress=tell, force=refresh, log_dir=log_dir
    )


def packages_of(images: dict[Role, str]) -> dict[str, Installed]:
    """What the images hold, by package."""
    found: dict[str, Installed] = {}
    for reference in images.values():
        found |= image_packages(reference)
    return found
