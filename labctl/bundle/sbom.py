"""The versions in a bundle as a software bill of materials: CycloneDX 1.6, in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from uuid import UUID

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from labctl.bundle.model import Bundle, BundleImage, LockedPackage

ORIGIN = "labctl:origin"
NAMESPACES = {"debian": "debian", "jitsi": "jitsi", "debs": "jitsi", "stand-ins": "labctl"}
"""The namespace of a package's purl, by its origin: stand-ins must not look like Jitsi's."""


def render_sbom(bundle: Bundle) -> str:
    """Every image as a container of the packages that are installed in it."""
    lab = Component(
        name=f"lab {bundle.lab}", type=ComponentType.APPLICATION, bom_ref="lab", version=bundle.id
    )
    made = Component(
        name="labctl", type=ComponentType.APPLICATION, bom_ref="labctl", version=bundle.labctl
    )
    bom = Bom(
        serial_number=UUID(bundle.id),
        metadata=BomMetaData(
            component=lab,
            timestamp=datetime.fromisoformat(bundle.created),
            properties=[Property(name="labctl:provider", value=str(bundle.provider))],
        ),
        components=_images(bundle),
    )
    bom.metadata.tools.components.add(made)
    bom.register_dependency(lab, list(bom.components))
    # Read again, because the library writes one line.
    return json.dumps(json.loads(JsonV1Dot6(bom).output_as_string()), indent=1) + "\n"


def _images(bundle: Bundle) -> Iterator[Component]:
    for reference, image in bundle.images.items():
        yield Component(
            name=reference,
            type=ComponentType.CONTAINER,
            bom_ref=reference,
            version=bundle.debian,
            properties=[Property(name="labctl:role", value=str(image.role))],
            components=_packages(reference, image, debian=bundle.debian),
        )


def _packages(reference: str, image: BundleImage, *, debian: str) -> Iterator[Component]:
    for package in image.packages:
        yield Component(
            name=package.name,
            version=package.version,
            type=ComponentType.LIBRARY,
            # The same package is in several images.
            bom_ref=f"{reference}/{package.name}:{package.architecture}",
            purl=_purl(package, debian=debian),
            properties=[Property(name=ORIGIN, value=package.origin)],
        )


def _purl(package: LockedPackage, *, debian: str) -> PackageURL:
    qualifiers: Mapping[str, str] = {"arch": package.architecture, "distro": f"debian-{debian}"}
    space = NAMESPACES.get(package.origin, package.origin)
    return PackageURL("deb", space, package.name, package.version, dict(qualifiers))
