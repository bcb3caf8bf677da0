"""Which differences are meant, and how all of them are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labctl.drift.intended import Intended, load_intended, reason_of
from labctl.drift.read import Reading, Skipped, with_placeholders
from labctl.drift.report import Drift, merge_readings, render_drift
from labctl.drift.sections import SettingDifference
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec

LIMIT = SettingDifference("prosody", "global", "limits.c2s.rate", "10kb/s", "512kb/s")


def entry(**changes: str | None) -> Intended:
    values: dict[str, str | None] = {
        "area": "prosody",
        "where": "global",
        "name": "limits.*.rate",
        "reason": "because",
        "packaged": "10kb/s",
    }
    return Intended(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        pytest.param({}, True, id="as it is"),
        pytest.param({"packaged": "*"}, True, id="whatever the package has"),
        pytest.param({"placed": "512*"}, True, id="what labctl places, by pattern"),
        pytest.param({"packaged": "20kb/s"}, False, id="the package has changed its mind"),
        pytest.param({"packaged": None}, False, id="the package said nothing before"),
        pytest.param({"placed": "1kb/s"}, False, id="labctl places something else"),
        pytest.param({"area": "nginx"}, False, id="another area"),
        pytest.param({"where": "localhost"}, False, id="another place"),
        pytest.param({"name": "limits"}, False, id="another name"),
    ],
)
def test_what_is_meant_is_named_exactly(changes: dict[str, str | None], fits: bool) -> None:
    assert entry(**changes).matches(LIMIT) is fits


def test_a_default_that_a_package_gets_is_a_finding() -> None:
    mine = entry(name="http_interfaces", packaged=None)
    new = SettingDifference("prosody", "global", "http_interfaces", None, "127.0.0.1")
    assert mine.matches(new)
    assert not mine.matches(
        SettingDifference("prosody", "global", "http_interfaces", "*", "127.0.0.1")
    )


def test_every_intended_difference_has_a_reason_and_none_stands_there_twice() -> None:
    intended = load_intended()
    assert all(len(it.reason.split()) >= 1 and it.name for it in intended)
    keys = [(it.area, it.where, it.name, it.packaged, it.placed) for it in intended]
    assert len(keys) == len(set(keys))
    assert {it.area for it in intended} == {
        "prosody",
        "jicofo",
        "videobridge",
        "nginx-site",
        "nginx",
        "units",
    }


WEBSOCKETS = SettingDifference("videobridge", "", "videobridge.websockets.tls", "true", None)


@pytest.mark.parametrize(
    ("version", "meant"),
    [("2.3-277-g6708140e0-1", True), ("2.3-293-1", True), ("2.3-294-1", False), ("", False)],
)
def test_what_only_older_packages_do_is_meant_with_them_only(version: str, *, meant: bool) -> None:
    intended = load_intended(installed={"jitsi-videobridge2": version})
    assert (reason_of(WEBSOCKETS, intended) is not None) is meant


def test_an_unknown_key_in_the_list_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "intended.toml"
    file.write_text('[[prosody]]\nname = "x"\nreason = "y"\npakaged = "z"\n')
    with pytest.raises(TypeError, match="pakaged"):
        load_intended(file)


def test_differences_of_several_nodes_are_one_finding() -> None:
    new = SettingDifference("videobridge", "", "videobridge.sctp.enabled", "false", None)
    readings = [
        Reading("jms", (LIMIT, new)),
        Reading("jvb1", (new,), {"prosody": Skipped("there is none")}),
    ]
    drift = merge_readings(readings, [entry()], lab="demo")
    assert [(it.name, it.nodes) for it in drift.unknown] == [(new.name, ("jms", "jvb1"))]
    assert [(it.name, it.reason) for it in drift.intended] == [(LIMIT.name, "because")]
    plain = json.loads(json.dumps(drift.to_json()))
    assert Drift.from_json(plain) == drift
    assert list(plain) == ["format", "lab", "unknown", "intended", "skipped"]
    assert plain["unknown"][0] == {
        "nodes": ["jms", "jvb1"],
        "area": "videobridge",
        "where": "",
        "name": new.name,
        "packaged": "false",
        "placed": None,
    }
    assert plain["intended"][0]["reason"] == "because"
    assert plain["skipped"] == [
        {"node": "jvb1", "area": "prosody", "reason": "there is none", "expected": False}
    ]
    text = render_drift(drift, show_all=False)
    assert "videobridge on jms, jvb1: videobridge.sctp.enabled" in text
    assert "packages  false" in text
    assert "limits.c2s.rate" not in text
    assert "Not compared on jvb1: prosody, because there is none." in text
    assert "limits.c2s.rate: 10kb/s -> 512kb/s" in render_drift(drift, show_all=True)


def test_only_areas_that_have_something_to_compare_count_as_not_compared() -> None:
    readings = [
        Reading("visitors1", (), {"prosody": Skipped("there is none", expected=True)}),
        Reading("jms", (), {"nginx": Skipped("'x' is not there")}),
    ]
    drift = merge_readings(readings, [], lab="demo")
    assert [(it.node, it.area) for it in drift.not_compared] == [("jms", "nginx")]
    assert len(drift.skipped) == 2


def test_the_first_entry_that_fits_gives_the_reason() -> None:
    assert reason_of(LIMIT, [entry(reason="one"), entry(reason="two")]) == "one"
    assert reason_of(LIMIT, []) is None


def test_names_of_image_and_lab_become_the_same() -> None:
    topology = resolve(Spec(domain="conf.example.org"))
    assert with_placeholders("auth.image.labctl.invalid", topology) == "auth.DOMAIN"
    assert with_placeholders("auth.conf.example.org 192.168.56.105", topology) == (
        "auth.DOMAIN JMS-ADDRESS"
    )
