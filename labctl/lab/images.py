"""The images of all providers, or of one: which exist, who uses them, which may be removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from labctl.core.errors import LabError
from labctl.images.store import Image, ImageStore, choose_prunable, with_labs
from labctl.providers.table import TABLE, provider_of
from labctl.topology.spec import ProviderName


@dataclass(frozen=True, slots=True)
class Shelf:
    """The store of a kind, the providers that start its images, and what is in it."""

    store: ImageStore
    providers: tuple[ProviderName, ...]
    images: tuple[Image, ...] = ()


@dataclass(slots=True)
class Shelves:
    """The stores that answered, and what the others said, by provider."""

    shelves: list[Shelf] = field(default_factory=list)
    silent: dict[str, str] = field(default_factory=dict)


def read_shelves(provider: ProviderName | None = None) -> Shelves:
    """What the stores hold: all of them, or that of `provider`.

    Errors: LabError if the one that was asked for does not answer, or none does."""
    found, errors = Shelves(), []
    for store, providers in _stores(provider):
        try:
            images = tuple(with_labs(store.list()))
        except LabError as error:
            errors.append(error)
            found.silent |= {str(name): error.message for name in providers}
        else:
            found.shelves.append(Shelf(store, providers, images))
    if errors and not found.shelves:
        raise errors[0]
    return found


def prune(shelves: Shelves, *, dry_run: bool) -> tuple[list[Image], list[str]]:
    """Remove (or, with `dry_run`, choose) images that nobody uses, and what failed bakes left.

    The newest base of each store stays.  What went: images, and leftovers in words.
    """
    gone: list[Image] = []
    left: list[str] = []
    for shelf in shelves.shelves:
        chosen = choose_prunable(shelf.images)
        if dry_run:
            gone += chosen
            continue
        gone += shelf.store.remove(chosen)
        left += shelf.store.clean()
    return gone, left


def find_image(reference: str, *, provider: ProviderName | None = None) -> tuple[Shelf, Image]:
    """The image of that name and the shelf that it is on.  Errors: LabError with what there is."""
    shelves = read_shelves(provider).shelves
    for shelf in shelves:
        for image in shelf.images:
            if image.reference == reference:
                return shelf, image
    raise LabError(
        f"There is no image '{reference}'.",
        hint="'labctl images list' shows all images; 'labctl build' builds those that a lab needs.",
    )


def verify_images(shelves: Shelves) -> Mapping[str, list[str]]:
    """What is wrong with each image, by reference; an empty list for a good one."""
    return {
        image.reference: list(shelf.store.verify(image.reference))
        for shelf in shelves.shelves
        for image in shelf.images
    }


def _stores(provider: ProviderName | None) -> Iterator[tuple[ImageStore, tuple[ProviderName, ...]]]:
    """One store of each kind (they keep the same images), with all providers of that kind."""
    rows = [provider_of(provider)] if provider is not None else list(TABLE.values())
    stores = {row.images.kind: row.images for row in reversed(rows)}
    for kind in sorted(stores):
        yield stores[kind], tuple(row.name for row in rows if row.images.kind == kind)
