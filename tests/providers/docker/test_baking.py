"""What is done around bakes in containers."""

from __future__ import annotations

import pytest

from labctl.providers.docker import baking


def test_only_labctls_nameless_images_are_removed_and_none_of_a_bake_that_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bake's image has its base's labels, and no packages, until it gets its name."""
    ran: list[list[str]] = []
    monkeypatch.setattr(baking.process, "run", lambda words, **_: ran.append(words))
    baking.remove_nameless()
    assert [words[:4] for words in ran] == [["docker", "image", "prune", "--force"]] * 2
    finished, abandoned = ({*words[5::2]} for words in ran)
    assert finished == {"label=labctl.packages"}
    assert abandoned == {"label=labctl.hash", "label!=labctl.packages", "until=1h"}
