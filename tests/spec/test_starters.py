"""Each template of `labctl init` is a lab.conf that the spec reads, and means what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from labctl.core.errors import UsageError
from labctl.spec import load_spec, load_with_origins
from labctl.spec.explain import all_keys, resolved_values
from labctl.spec.starters import STARTERS, Starter, find_starter, render_starter
from labctl.topology.spec import Auth, Spec

TEMPLATES = pytest.mark.parametrize("starter", STARTERS, ids=lambda each: each.name)
NAMED = {
    "visitors": Spec(jvbs=2, visitors=8),
    "bridges": Spec(jvbs=2, visitors=0),
    "minimal": Spec(jvbs=0, visitors=0, small=True),
    "ten-vnodes": Spec(jvbs=1, visitors=10, visitors_per_node=5, max_participants=5),
    "relays": Spec(jvbs=2, visitors=0, relays=True),
    "turn": Spec(jvbs=1, visitors=1, turn=True),
    "auth-open": Spec(jvbs=1, visitors=1),
    "auth-internal": Spec(jvbs=1, visitors=1, auth=Auth.INTERNAL),
    "auth-jwt": Spec(jvbs=1, visitors=1, auth=Auth.JWT),
    "lobby": Spec(jvbs=1, visitors=1, auth=Auth.INTERNAL, lobby=True),
}


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@TEMPLATES
def test_a_template_is_loaded_by_the_spec(starter: Starter, tmp_path: Path) -> None:
    conf = written(tmp_path / "lab.conf", render_starter(starter))
    wish = load_with_origins(conf, {})
    assert wish.spec == NAMED[starter.name]
    found = {each.key: each for each in resolved_values(wish.spec, wish.origins)}
    assert {key: found[key].value for key in starter.settings} == dict(starter.settings)
    assert all(found[key].origin.line for key in starter.settings)


@TEMPLATES
def test_the_comments_are_the_defaults(starter: Starter, tmp_path: Path) -> None:
    """Whoever removes a '#' changes nothing."""
    text = re.sub(r"(?m)^#(?=\S)", "", render_starter(starter))
    assert load_spec(written(tmp_path / "lab.conf", text), {})[0] == NAMED[starter.name]


@TEMPLATES
def test_every_line_fits_and_every_setting_is_explained(starter: Starter) -> None:
    text = render_starter(starter)
    assert max(map(len, text.splitlines())) <= 80
    said = " ".join(text.replace("\n# ", " ").split())
    helps = {each.key: each.help for each in all_keys()}
    assert all(helps[key] in said for key in starter.settings)
    assert starter.what in said


def test_a_mistyped_template_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no template 'realys'\. Did you mean 'relays'") as caught:
        find_starter("realys")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("Templates: visitors, bridges, minimal, ten-vnodes, ")
    with pytest.raises(UsageError) as caught:
        find_starter("xyzzy")
    assert caught.value.message == "There is no template 'xyzzy'."


def test_the_file_says_how_it_is_used_and_each_default_once() -> None:
    text = render_starter(find_starter("minimal"))
    said = " ".join(text.replace("\n# ", " ").split())
    assert "'labctl config explain KEY' describes a key, and 'labctl config show' shows" in said
    assert "\n# --- The other keys, with their defaults; remove '#' to set one.\n" in text
    assert "\n# Visitor Prosodies. 0 to 64. Default: 8.\n" in text
    assert "None" not in text and "Default: ." not in text
    assert not [line for line in text.split("\n") if "encrypt" in line]


def test_long_words_of_the_comments_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labctl.spec.starters.WIDTH", 12)
    starter = Starter("x", "well-known-words and-an-overlong-one-of-them", {})
    head = render_starter(starter).split("\n")[:4]
    assert head == [
        "# lab.conf for",
        "# labctl.",
        "# well-known-words",
        "# and-an-overlong-one-of-them",
    ]
