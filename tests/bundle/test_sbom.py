"""The list of materials is CycloneDX, and a stand-in never looks like Jitsi's package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from labctl.bundle.model import Bundle


@pytest.fixture
def text(bundle: Bundle, target: Path) -> str:
    return (target / "sbom.cdx.json").read_text()


def test_it_fits_the_schema_of_cyclonedx(text: str) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(text) is None
    # The validator sees what is wrong.
    assert validator.validate_str(text.replace('"container"', '"bucket"')) is not None


def test_every_version_of_every_image_is_in_it(bundle: Bundle, text: str) -> None:
    data: dict[str, Any] = json.loads(text)
    assert data["serialNumber"] == f"urn:uuid:{bundle.id}"
    found = {
        (image["name"], package["purl"])
        for image in data["components"]
        for package in image["components"]
    }
    assert {name for name, _ in found} == set(bundle.images)
    assert {purl for name, purl in found if name == "labctl/jms:1"} == {
        "pkg:deb/debian/adduser@3.152?arch=all&distro=debian-13",
        "pkg:deb/labctl/jicofo@0~standin1?arch=all&distro=debian-13",
        "pkg:deb/debian/nginx@1.26?arch=amd64&distro=debian-13",
    }
