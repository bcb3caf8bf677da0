"""How crowded this machine is, by what the kernel says."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.core import crowding

PRESSURE = "some avg10={waiting} avg60=1.00 avg300=0.50 total=123456\nfull avg10=0.00 total=0\n"
LOADAVG = "{minute} 2.00 1.00 {running}/643 14721\n"


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(crowding, "PRESSURE", tmp_path / "cpu")
    monkeypatch.setattr(crowding, "LOADAVG", tmp_path / "load")
    monkeypatch.setattr(crowding, "processors", lambda: 2)
    return tmp_path


@pytest.mark.parametrize(
    ("waiting", "minute", "running", "factor"),
    [
        pytest.param("3.10", "0.40", 9, 1.0, id="a moment's burst is none"),
        pytest.param("98.00", "0.40", 5, 2.0, id="four programs begun just now, two processors"),
        pytest.param("98.00", "5.00", 1, 2.0, id="four programs, none of them at this moment"),
        pytest.param("98.00", "2.00", 2, 1.0, id="never shorter"),
        pytest.param("98.00", "60.00", 9, crowding.MOST, id="and not for ever"),
    ],
)
def test_busy_processors_make_the_factor(
    kernel: Path, waiting: str, minute: str, running: int, factor: float
) -> None:
    (kernel / "cpu").write_text(PRESSURE.format(waiting=waiting))
    (kernel / "load").write_text(LOADAVG.format(minute=minute, running=running))
    assert crowding.measure_crowding() == factor


def test_a_kernel_without_pressure_is_asked_for_its_threads(kernel: Path) -> None:
    (kernel / "load").write_text(LOADAVG.format(minute="7.00", running=3))
    assert crowding.measure_crowding() == 3.0


@pytest.mark.parametrize("text", ["", "of another form\n"])
def test_what_the_kernel_does_not_say_is_no_reason_to_wait(kernel: Path, text: str) -> None:
    (kernel / "load").write_text(text)
    assert crowding.measure_crowding() == 1.0


def test_this_machine_answers() -> None:
    assert 1.0 <= crowding.measure_crowding() <= crowding.MOST
