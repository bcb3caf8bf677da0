"""Files that were written on other systems: marks, ends of lines, blanks, sizes, encodings."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.core.errors import SpecError
from labctl.core.usertext import load_text
from labctl.spec import load_spec
from labctl.spec.readers import Fields, want_mib
from labctl.topology.spec import Role, Size, Spec

CONF = """\
# Übung für den Kurs
lab = demo
jvbs = 1
domain = "meet.example.org"  # ours
visitors { count = 4, per-node = 2 }
roles { jvb { memory = 3 GiB, cpus = 1 } }
"""
WANTED = Spec(
    lab="demo",
    jvbs=1,
    domain="meet.example.org",
    visitors=4,
    visitors_per_node=2,
    sizes={Role.JVB: Size(memory_mib=3072, cpus=1)},
)


def no_break(text: str) -> str:
    return text.replace(" ", "\u00a0")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(CONF.encode("utf-8-sig"), id="byte-order mark"),
        pytest.param(CONF.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(CONF.replace("\n", "\r").encode(), id="CR"),
        pytest.param(CONF.replace("\n", "\u2028").encode(), id="line separators"),
        pytest.param(no_break(CONF).encode(), id="no-break spaces"),
        pytest.param(CONF.replace(" = ", "\u2007=\u3000").encode(), id="wide blanks"),
        pytest.param(CONF.replace(" = ", " =\u200b ").encode(), id="zero-width spaces"),
        pytest.param(CONF.replace("\n", "\r\n").encode("utf-16"), id="UTF-16"),
        pytest.param(b"\xfe\xff" + CONF.encode("utf-16-be"), id="UTF-16, big-endian"),
        pytest.param(
            no_break(CONF).replace("\n", "\r\n").encode("utf-8-sig"), id="everything at once"
        ),
    ],
)
def test_lab_conf_of_another_system_is_the_same_lab(data: bytes, tmp_path: Path) -> None:
    conf, wider = tmp_path / "lab.conf", tmp_path / "wider.conf"
    conf.write_bytes(data)
    assert load_spec(conf, {})[0] == WANTED
    wider.write_text('include "lab.conf"\njvbs = 2\n', encoding="utf-8")
    assert load_spec(wider, {})[0].visitors == 4, "an included file is read in the same way"


def test_quoted_text_and_comments_stay_as_they_are(tmp_path: Path) -> None:
    conf = tmp_path / "lab.conf"
    folder = "candidates\u00a0of 5 days # \u2007"
    conf.write_text(
        f'// 3 m\u00a0"\npackages {{ source = debs, path = "{folder}" }}\n', encoding="utf-8"
    )
    assert load_spec(conf, {})[0].packages.path == str(tmp_path / folder)


@pytest.mark.parametrize(
    ("encoding", "says"),
    [
        pytest.param("latin-1", "is not UTF-8 text. Save it in the encoding UTF-8.", id="latin-1"),
        pytest.param("utf-16-le", "is not UTF-8 text. Save it", id="UTF-16 without a mark"),
    ],
)
def test_another_encoding_is_named_with_the_cure(encoding: str, says: str, tmp_path: Path) -> None:
    conf, wider = tmp_path / "lab.conf", tmp_path / "wider.conf"
    conf.write_bytes(CONF.encode(encoding))
    with pytest.raises(SpecError, match=says):
        load_spec(conf, {})
    wider.write_text('include "lab.conf"\n', encoding="utf-8")
    with pytest.raises(SpecError, match=f"include: names a file that {says}"):
        load_spec(wider, {})


def test_ascii_text_in_utf_16_without_a_mark_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "versions"
    file.write_bytes("jicofo 1.0-1\n".encode("utf-16-le"))
    with pytest.raises(UnicodeDecodeError, match="zero byte"):
        load_text(file)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_of_versions_of_another_system(encoding: str, tmp_path: Path) -> None:
    text = "# candidates\r\njicofo\u00a01.0-1200-1\r\njitsi-videobridge2=2.3-400\r\n"
    (tmp_path / "versions.txt").write_bytes(text.encode(encoding))
    spec, _ = load_spec(None, {"packages": f"jitsi:{tmp_path}/versions.txt"})
    assert spec.packages.versions == {"jicofo": "1.0-1200-1", "jitsi-videobridge2": "2.3-400"}


SIZES = {
    "2048": 2048,
    "2048m": 2048,
    "2048M": 2048,
    "2048 MiB": 2048,
    "2048 m": 2048,
    "2g": 2048,
    "2G": 2048,
    "2 GiB": 2048,
    "2GB": 2048,
    "2Gi": 2048,
    "2 gb": 2048,
    "2.5g": 2560,
    "2\u00a0GiB": 2048,
    "2\u202fGiB": 2048,
    "2097152k": 2048,
    "0.5t": 524288,
    "2 Gbytes": 2048,
}


@pytest.mark.parametrize("written", SIZES)
def test_sizes_as_people_write_them(written: str, tmp_path: Path) -> None:
    for name, value in (("bare", written), ("quoted", f'"{written}"')):
        conf = tmp_path / f"{name}.conf"
        conf.write_text(f"roles {{ jvb {{ memory = {value} }} }}\n", encoding="utf-8")
        assert load_spec(conf, {})[0].sizes[Role.JVB].memory_mib == SIZES[written], name


@pytest.mark.parametrize(
    ("value", "expected", "says"),
    [
        pytest.param("2,5 GiB", 2560, None, id="decimal comma"),
        pytest.param("2 minutes", 0, "must be an amount such as 2048 or '2 GiB'", id="time"),
        pytest.param("2 Gib/s", 0, "must be an amount", id="rate"),
        pytest.param(2147483648, 0, "A number without a unit is MiB.", id="bytes"),
        pytest.param(True, 0, "must be an amount", id="boolean"),
        pytest.param("16 MiB", 0, "must be at least 512 MiB", id="too little"),
    ],
)
def test_amounts(value: object, expected: int, says: str | None) -> None:
    fields = Fields.of({"memory": value}, [])
    assert want_mib(fields, "memory", 0, least=512) == expected
    assert [says in str(each) for each in fields.problems] == ([True] if says else [])
