"""Which images may go, and whom they are used by."""

from __future__ import annotations

import json
from pathlib import Path

from labctl.images.store import Image, choose_prunable, lab_images, with_labs
from labctl.providers.docker.images import parse_images


def image(name: str, role: str, created: str, *users: str) -> Image:
    return Image(f"labctl/{name}", role, created, 1, users)


def inspected(*references: str, created: str, role: str = "jms") -> dict[str, object]:
    return {
        "RepoTags": list(references),
        "Created": created,
        "Size": 5,
        "Config": {"Labels": {"labctl.role": role}},
    }


def test_what_nobody_uses_goes_but_for_the_newest_base() -> None:
    images = [
        image("jms:2", "jms", "2026-11-21T14", "lab course"),
        image("base:2", "base", "2026-11-21T13"),
        image("jms:1", "jms", "2026-11-21T12"),
        image("jvb:1", "jvb", "2026-11-21T11", "container x"),
        image("base:1", "base", "2026-11-21T10"),
    ]
    assert [each.reference for each in choose_prunable(images)] == ["labctl/jms:1", "labctl/base:1"]


def test_images_are_read_with_their_users_the_newest_first() -> None:
    data = [
        inspected("labctl/jms:1", created="2026-11-20T10"),
        inspected("labctl/jms:2", created="2026-11-21T10"),
        inspected(created="2026-11-22T10"),
    ]
    found = parse_images(data, users={"labctl/jms:1": ["lab a", "lab b"]})
    assert [(each.reference, each.users) for each in found] == [
        ("labctl/jms:2", ()),
        ("labctl/jms:1", ("lab a", "lab b")),
    ]


def test_labs_of_this_checkout(tmp_path: Path) -> None:
    for lab in ("a", "b"):
        (tmp_path / lab).mkdir()
        nodes = [{"image": "labctl/jms:1"}, {"image": f"labctl/jvb:{lab}"}]
        (tmp_path / lab / "topology.json").write_text(json.dumps({"nodes": nodes}))
    (tmp_path / "current").symlink_to("a")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "topology.json").write_text("{")
    assert lab_images(tmp_path) == {
        "labctl/jms:1": ["lab a", "lab b"],
        "labctl/jvb:a": ["lab a"],
        "labctl/jvb:b": ["lab b"],
    }
    running = image("jms:1", "jms", "2026-11-21T14", "container x")
    [used] = with_labs([running], labs=tmp_path)
    assert used.users == ("lab a", "lab b", "container x")
