"""Where values come from, and what errors say of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.core.errors import SpecError
from labctl.spec import load_spec, load_with_origins
from labctl.spec.origin import Origin, Source


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "lab.conf"
    path.write_text(
        "jvbs = 1\n\nvisitors = 4\npackages {\n  source = stand-ins\n  repository = 'x'\n}\n"
        "roles.jms.memory = 3 GiB\n".replace("'x'", '"http://mirror.example/x"'),
        encoding="utf-8",
    )
    return path


def test_each_value_has_an_origin(conf: Path) -> None:
    origins = load_with_origins(conf, {"jvbs": "3", "packages": "jitsi:testing"}).origins
    file = str(conf)
    assert origins.find("jvbs") == Origin(Source.FLAG, flag="jvbs")
    assert origins.find("visitors.count") == Origin(Source.FILE, file=file, line=3)
    assert origins.find("visitors.per-node") == Origin(Source.DEFAULT)
    assert origins.find("packages.source") == Origin(Source.FLAG, flag="packages")
    assert origins.find("packages.channel") == Origin(Source.FLAG, flag="packages")
    assert origins.find("packages.repository") == Origin(Source.FILE, file=file, line=6)
    assert origins.find("roles.jms.memory") == Origin(Source.FILE, file=file, line=8)
    assert origins.find("roles.jms.cpus") == Origin(Source.DEFAULT)
    assert str(origins.find("visitors.count")) == f"{file}, line 3"
    assert str(origins.find("jvbs")) == "--jvbs"


def test_the_last_run_is_an_origin() -> None:
    origins = load_with_origins(None, {"jvbs": "1"}, saved={"visitors": 3, "jvbs": 9}).origins
    assert str(origins.find("visitors.count")) == "the lab's last run"
    assert str(origins.find("jvbs")) == "--jvbs"


def said(config: Path | None, flags: dict[str, str], **more: object) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load_spec(config, flags, **more)  # type: ignore[arg-type]
    return caught.value.message.splitlines()


def test_errors_name_the_flag_or_the_key_with_its_line(conf: Path) -> None:
    conf.write_text("jvbs = 99\n\nvisitors {\n  count = x\n}\npackages = jitsi:nope\nvisitor = 1\n")
    head, *problems = said(conf, {"domain": "x", "max-participants": "0"})
    assert head == f"'{conf}', with the command line, has 6 problems:"
    assert problems == [
        "  visitor (line 7): is not a key. Did you mean 'visitors'?",
        "  --domain: must be a host name with a dot in it, got 'x'.",
        "  jvbs (line 1): must be from 0 to 50, got 99.",
        "  visitors.count (line 4): must be a whole number from 0 to 64, got 'x'.",
        "  --max-participants: must be from 1 to 1000, got 0.",
        "  packages.channel (line 6): must be one of stable, testing, unstable, got 'nope'.",
    ]


def test_a_source_in_one_word_gives_all_that_it_names(conf: Path) -> None:
    (conf.parent / "pins").write_text("jicofo 1.0-1-1\n")
    conf.write_text('packages = "jitsi:testing:pins"\n')
    origins = load_with_origins(conf, {}).origins
    for name in ("source", "channel", "versions-file"):
        assert str(origins.find(f"packages.{name}")) == f"{conf}, line 1"
    flags = {"packages": f"jitsi:testing:{conf.parent}/pins"}
    found = load_with_origins(None, flags).origins.find("packages.versions-file")
    assert str(found) == "--packages"


def test_a_flags_problem_keeps_its_hint(conf: Path) -> None:
    assert said(conf, {"domain": "v1.meet.jitsi"})[1].endswith("Jitsi hard-codes it.")


def test_a_value_of_an_included_file_is_the_files_without_a_line(conf: Path) -> None:
    (conf.parent / "more.conf").write_text("jvbs = 3\n")
    conf.write_text('include "more.conf"\n')
    assert str(load_with_origins(conf, {}).origins.find("jvbs")) == str(conf)


def test_a_flag_is_named_even_over_a_key_of_the_file(conf: Path) -> None:
    head, *problems = said(conf, {"visitors": "65", "packages": "jitsi:nope"})
    assert head == "the command line has 2 problems:"
    assert [line.split(":")[0] for line in problems] == ["  --visitors", "  --packages"]


def test_what_the_file_alone_has_wrong_is_its_own(conf: Path) -> None:
    conf.write_text("jvbs = 99\n")
    assert said(conf, {"visitors": "1"})[0] == f"'{conf}' has 1 problem:"


def test_a_key_of_an_included_file_has_no_line(conf: Path) -> None:
    (conf.parent / "more.conf").write_text("jvbs = 99\n")
    conf.write_text('include "more.conf"\n')
    assert said(conf, {})[1] == "  jvbs: must be from 0 to 50, got 99."


def test_the_last_run_can_be_wrong_as_well() -> None:
    head, problem = said(None, {"visitors": "3"}, saved={"jvbs": 99})
    assert (head, problem) == (
        "the lab's last run has 1 problem:", "  jvbs: must be from 0 to 50, got 99."
    )  # fmt: skip
