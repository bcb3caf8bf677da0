"""Docker's images: what is found wrong with them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from labctl.core.process import run
from labctl.images.store import Image
from labctl.providers.docker.images import (
    DOCKER_IMAGES,
    label_problems,
    layer_problems,
    read_layers,
)

PACKAGES = '{"jicofo":{"version":"1.0","source":"jitsi"}}'


def image(*layers: bytes, **labels: str) -> dict[str, Any]:
    digests = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    return {"Config": {"Labels": labels}, "RootFS": {"Layers": digests}}


def save(path: Path, layers: Sequence[bytes]) -> Path:
    """A file as `docker image save` writes it."""
    names = [f"{index}/layer.tar" for index, _ in enumerate(layers)]
    manifest = json.dumps([{"Layers": names}]).encode()
    with tarfile.open(path, "w") as archive:
        for name, content in [*zip(names, layers, strict=True), ("manifest.json", manifest)]:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def test_layers_as_they_were_are_good(tmp_path: Path) -> None:
    layers = [b"base" * 1000, b"role"]
    packed = [layers[0], gzip.compress(layers[1])]
    assert layer_problems(image(*layers), read_layers(save(tmp_path / "x.tar", packed))) == []


def test_a_damaged_layer_is_told(tmp_path: Path) -> None:
    found = read_layers(save(tmp_path / "x.tar", [b"base", b"rolf"]))
    [problem] = layer_problems(image(b"base", b"role"), found)
    assert problem.startswith("Layer 2 of 2 is damaged: it is sha256:")


def test_a_missing_layer_is_told(tmp_path: Path) -> None:
    found = read_layers(save(tmp_path / "x.tar", [b"base"]))
    assert layer_problems(image(b"base", b"role"), found) == ["It has 1 layers, not 2."]


@pytest.mark.parametrize(
    ("labels", "problems"),
    [
        pytest.param({"hash": "0a", "role": "jms", "packages": PACKAGES}, [], id="good"),
        pytest.param({"hash": "0a", "role": "base"}, [], id="a base lists no packages"),
        pytest.param(
            {"hash": "0b", "role": "jms", "packages": PACKAGES},
            ["It is named '0a', but made as '0b'."],
            id="another's name",
        ),
        pytest.param(
            {"hash": "0a", "role": "jms"},
            ["It has no label of packages."],
            id="no packages",
        ),
        pytest.param(
            {"hash": "0a", "role": "jms", "packages": "{"},
            ["Its label of packages cannot be read."],
            id="damaged",
        ),
        pytest.param(
            {},
            [
                "It is named '0a', but made as 'nothing'.",
                "It has no label for its role.",
            ],
            id="not labctl's",
        ),
    ],
)
def test_labels(labels: dict[str, str], problems: list[str]) -> None:
    found = image(**{f"labctl.{key}": value for key, value in labels.items()})
    assert label_problems("labctl/jms:0a", found) == problems


@pytest.mark.engine
@pytest.mark.slow
def test_a_real_image_is_good_and_says_what_it_holds(jms_image: str) -> None:
    assert jms_image in DOCKER_IMAGES.local()
    assert DOCKER_IMAGES.verify(jms_image) == []
    shown = DOCKER_IMAGES.show(jms_image)
    assert (shown["reference"], shown["role"]) == (jms_image, "jms")
    assert shown["packages"]["jicofo"]["source"] == "stand-ins"
    assert DOCKER_IMAGES.packages(jms_image)["prosody"].version.startswith("13.")


@pytest.mark.engine
@pytest.mark.slow
def test_a_real_image_under_another_name_is_not_good_and_can_go(jms_image: str) -> None:
    other = "labctl/jms:renamed-by-a-test"
    run(["docker", "tag", jms_image, other])
    try:
        [problem] = DOCKER_IMAGES.verify(other)
        assert problem.startswith("It is named 'renamed-by-a-test'")
    finally:
        gone = DOCKER_IMAGES.remove([Image(other, "jms", "", 0)])
    assert [image.reference for image in gone] == [other]
    assert DOCKER_IMAGES.verify(other) == [f"The Docker engine has no image '{other}'."]
    assert jms_image in DOCKER_IMAGES.local()
