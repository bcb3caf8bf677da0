"""A lab.conf of somebody else: a spec or an error in words, in a second, from its own folder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from labctl.core.errors import LabError
from labctl.spec import load_spec
from labctl.topology.layout import resolve

VALID = """\
lab = course
domain = "meet.example.org"
jvbs = 3
visitors { count = 12, per-node = 4, layout = nodes }
max-participants = 5
relays = on
network = "192.168.60.0/24"
packages = stand-ins
roles { jms { memory = 4g, cpus = 2 }, jvb { memory = 2048m } }
"""
PIECES = (
    *('"', '"""', "{", "}", "[", "]", "=", ":", ",", "\n", "\\", "\0", "\ufeff", "#", "//", "+="),
    *("${jvbs}", "${?HOME}", "${lab}${lab}", "null", "-1", "1e999", "9" * 400, "٣", "true", "1d"),
    'include "lab.conf"',
    'include file("/etc/passwd")',
    'include url("http://192.0.2.1/x")',
    'include required(file("/nowhere"))',
    *("{" * 300, "[" * 300, "a." * 300, "a {" * 50, "../../x", "-oProxyCommand=x", "$(id)", "`id`"),
)


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """The valid file with pieces put in, taken out and doubled."""
    text = VALID
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.integers(0, 20)))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.text(max_size=8), st.just(text[at:end])))
        text = text[:at] + piece + text[end if draw(st.booleans()) else at :]
    return text


LAUGHS = "a0 = haha\n" + "".join(f"a{n + 1} = ${{a{n}}}${{a{n}}}\n" for n in range(30))


@given(text=st.one_of(mutations(), st.text(max_size=200)))
@example(text=LAUGHS)
@example(text="\n".join(LAUGHS.splitlines()[:13]).replace("haha", "x" * 3500))
@example(text="a" * 4000 + " = 1")
@example(text="x = 1\n" * 800)
@example(text='include "lab.conf"')
@example(text='include url("http://192.0.2.1/x")')
@example(text="[" * 5000)
@example(text="{" * 5000)
@example(text="a." * 5000 + "b = 1")
@example(text="x = 1\n" * 20000)
@example(text="jvbs = 1" + "0" * 5000)
@example(text="a = ${b}\nb = ${a}")
@example(text="a = ${a}")
@example(text="jvbs += 3")
@example(text='lab = "-rf"')
def test_a_lab_conf_is_a_spec_or_an_error_in_words(
    text: str, tmp_path: Path, within: Callable[[], AbstractContextManager[None]]
) -> None:
    config = tmp_path / "lab.conf"
    config.write_text(text, encoding="utf-8", errors="surrogatepass")
    with within():
        try:
            spec, _ = load_spec(config, {})
            if spec.network != "auto":
                resolve(spec)
        except LabError as error:
            assert error.message.strip()
    assert [path.name for path in tmp_path.iterdir()] == ["lab.conf"]


@given(data=st.binary(max_size=300))
def test_bytes(
    data: bytes, tmp_path: Path, within: Callable[[], AbstractContextManager[None]]
) -> None:
    config = tmp_path / "lab.conf"
    config.write_bytes(data)
    with within():
        try:
            load_spec(config, {})
        except LabError as error:
            assert error.message.strip()
