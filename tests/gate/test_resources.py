"""What services use while something runs: asked, sampled, and compared with the noise."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest

from labctl.core.waiting import Deadline, wait_until
from labctl.gate import resources
from labctl.gate.compare import judge_gate
from labctl.gate.measures import Resource, UnitUse, UseSample
from labctl.gate.model import GateVerdict, Severity
from labctl.gate.resources import (
    Spread,
    ask_use,
    compare_resources,
    parse_use,
    render_ask,
    render_spread,
    sampled,
    spread_of,
)
from labctl.topology.lab import Lab
from labctl.topology.roles import units_of
from tests.fakes.nodes import FakeNodes
from tests.gate.sides import make_side

MB = 2**20
ANSWER = """\
use prosody.service 17000000 1500 4 60
use prosody-v@1.service 10000000 500 2 20
use nginx.service 9000000 0 3 30
log prosody.service 5000
log jicofo.service 7
"""


def test_what_a_node_says() -> None:
    assert parse_use(ANSWER) == {
        "prosody.service": UnitUse(17_000_000, 1.5, 4, 60, 5000),
        "prosody-v@1.service": UnitUse(10_000_000, 0.5, 2, 20, 0),
        "nginx.service": UnitUse(9_000_000, 0.0, 3, 30, 0),
    }


def test_only_services_of_packages_are_asked_for(lab: Lab) -> None:
    for node in lab.topology.nodes:
        assert "ssh" not in render_ask(node)
    assert "jitsi-videobridge2.service" in render_ask(lab.topology.node("jvb1"))


def test_units_of_a_kind_are_added_up_over_all_nodes(lab: Lab, nodes: FakeNodes) -> None:
    nodes.says("*", "use jitsi-videobridge2.service 100 1000 10 20\n", to="RssAnon")
    found = ask_use(lab)
    count = len(lab.topology.nodes)
    assert found == {"jitsi-videobridge2": UnitUse(100 * count, count, 10 * count, 20 * count, 0)}


def test_a_sample_without_one_of_the_nodes_is_none(lab: Lab, nodes: FakeNodes) -> None:
    nodes.says("*", "use nginx.service 100 1000 10 20\n", to="RssAnon")
    with sampled(lab, interval=60) as samples:
        pass
    assert len(samples) == 1
    nodes.silence("jvb1")
    with sampled(lab, interval=60) as samples:
        pass
    assert samples == []


# systemd and cgroups as they would be: the first unit's only process is this shell.
PRETEND = """
systemctl() { printf 'Id=%s\\nControlGroup=/here\\n\\nControlGroup=\\nId=other.service\\n' "$6"; }
cat() { case $1 in *procs*) echo $$; echo 4194399;; *) command cat "$@";; esac; }
"""


@pytest.mark.programs
def test_a_shell_counts_what_processes_have(lab: Lab) -> None:
    script = render_ask(lab.topology.nodes[0])
    words = ["sh", "-c", f"{PRETEND}\ni=0; while [ $i -lt 200000 ]; do i=$((i+1)); done\n{script}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    ((unit, use),) = parse_use(done.stdout).items()
    assert unit.endswith(".service")
    assert use.memory > 10_000 and use.threads == 1 and use.descriptors >= 3
    assert use.cpu > 0


def series(*values: float, **same: float) -> tuple[UseSample, ...]:
    """Samples of a bridge, one each ten seconds: memory in MB, all else alike."""
    return tuple(
        UseSample(
            10.0 * n,
            {
                "jvb": UnitUse(
                    int(value * MB),
                    n * same.get("cpu", 1.0),
                    int(same.get("threads", 40)),
                    int(same.get("descriptors", 100)),
                    int(n * same.get("log", 1000)),
                )
            },
        )
        for n, value in enumerate(values)
    )


LEVEL = (200, 205, 210, 195, 200, 205, 198, 207)


def test_usual_amount_and_its_noise() -> None:
    spread = spread_of(series(*LEVEL), "jvb", Resource.MEMORY)
    assert spread is not None
    assert render_spread(spread, Resource.MEMORY) == "202 MB (197-208)"
    spread = spread_of(series(*LEVEL, log=1024), "jvb", Resource.LOG)
    assert spread is not None
    assert render_spread(spread, Resource.LOG) == "7 kB"
    assert spread_of(series(*LEVEL[:5]), "jvb", Resource.MEMORY) is None
    assert spread_of(series(*LEVEL), "nginx", Resource.MEMORY) is None


def test_a_program_that_was_started_again_has_not_used_less_than_nothing() -> None:
    samples = list(series(*LEVEL, cpu=1.0))
    again = UnitUse(MB, 0.5, 40, 100, 0)
    samples[4] = UseSample(40.0, {"jvb": again})
    spread = spread_of(samples, "jvb", Resource.CPU)
    assert spread is not None
    assert spread.median == pytest.approx(3 + 0 + 4.5 + 2)


@pytest.mark.parametrize(
    ("new", "subject"),
    [
        (series(*(value + 100 for value in LEVEL)), "jvb: memory"),
        (series(*LEVEL, threads=80), "jvb: threads"),
        (series(*LEVEL, descriptors=300), "jvb: descriptors"),
        (series(*LEVEL, log=90_000), "jvb: log volume"),
        (series(*LEVEL, cpu=4.0), "jvb: CPU"),
        (series(*(value + 20 for value in LEVEL)), None),
        (series(*LEVEL, threads=48), None),
        (series(*LEVEL, cpu=1.4), None),
        (series(*LEVEL, log=9_000), None),
        (series(*LEVEL[:4]), None),
    ],
)
def test_only_what_noise_does_not_explain_needs_a_look(
    new: tuple[UseSample, ...], subject: str | None
) -> None:
    found = list(compare_resources(new, series(*LEVEL)))
    assert [(it.subject, it.severity) for it in found] == (
        [(subject, Severity.ATTENTION)] if subject else []
    )


def test_the_same_work_on_a_busy_machine_is_no_more_work() -> None:
    """One side's suite may take eight times as long: 465 s and 60 s were seen."""
    quick = series(*LEVEL, cpu=4.0, log=90_000)
    slow = tuple(replace(each, at=8 * each.at) for each in quick)
    assert list(compare_resources(quick, slow)) == []
    assert list(compare_resources(slow, quick)) == []


def test_noise_of_the_baseline_counts() -> None:
    wild = (100, 320, 120, 310, 130, 330, 100, 320)
    assert list(compare_resources(series(*(v + 100 for v in LEVEL)), series(*wild))) == []


def test_it_is_part_of_a_gate_and_never_fails_it() -> None:
    gate = judge_gate(
        make_side(resources=series(*(v * 3 for v in LEVEL))),
        make_side("baseline", resources=series(*LEVEL)),
    )
    assert gate.word is GateVerdict.PASS
    (finding,) = [each for each in gate.findings if each.area == "resources"]
    assert finding.text == "more: 608 MB (591-624), 202 MB (197-208) with the baseline"


def test_each_node_is_asked_as_root_for_its_units_and_their_logs(
    lab: Lab, nodes: FakeNodes
) -> None:
    # What is missing of an answer is the unit's, not the script's: its status says nothing.
    nodes.says("*", "use nginx.service 100 1000 10 20\n", to="RssAnon", code=1)
    ask_use(lab)
    for node in lab.topology.nodes:
        (ran,) = nodes.ran_on(node.name)
        assert (ran.sudo, ran.seconds) == (True, 20)
        units = [unit for unit in units_of(node) if unit.package]
        names = " ".join(unit.name for unit in units)
        assert f"systemctl show -p Id -p ControlGroup {names} |" in ran.text
        for unit in units:
            assert f'echo "log {unit.name} $(stat -c %s {" ".join(unit.logs)} 2>' in ran.text
        assert "{" + "{" not in ran.text and "XX" not in ran.text


def test_all_logs_of_a_unit_count(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other, *_ = (unit for unit in units_of(lab.topology.jms) if unit.package)
    given = [replace(one, logs=("/a.log", "/b/*.log")), replace(other, logs=())]
    monkeypatch.setattr(resources, "units_of", lambda _: given)
    logs = [line for line in render_ask(lab.topology.jms).splitlines() if "echo " + '"log' in line]
    assert [line.partition(" 2>")[0] for line in logs] == [
        f'echo "log {one.name} $(stat -c %s /a.log /b/*.log'
    ]


def test_units_of_a_kind_on_one_node_are_added_up(lab: Lab, nodes: FakeNodes) -> None:
    nodes.says("*", "", to="RssAnon")
    nodes.says(
        "visitors1",
        "use prosody-v@1.service 100 1000 10 20\nuse prosody-v@2.service 7 500 3 4\n"
        "log prosody-v@1.service 50\nlog prosody-v@2.service 5\n",
        to="RssAnon",
    )
    assert ask_use(lab) == {"prosody-v": UnitUse(107, 1.5, 13, 24, 55)}


@pytest.mark.parametrize(
    "line",
    ["use nginx 1 2 3", "use nginx 1 2 3 4 5", "log nginx", "log nginx 1 2", "words", ""],
)
def test_lines_that_are_not_answers_are_left_out(line: str) -> None:
    found = parse_use(f"{line}\nuse jicofo.service 1 2000 3 4\n{line}\nlog jicofo.service 5\n")
    assert found == {"jicofo.service": UnitUse(1, 2.0, 3, 4, 5)}


def test_a_lab_is_sampled_until_the_end(lab: Lab, nodes: FakeNodes) -> None:
    nodes.says("*", "use nginx.service 100 1000 10 20\n", to="RssAnon")
    with sampled(lab, interval=0.0) as samples:
        assert wait_until(lambda: len(samples) >= 3, deadline=Deadline.after(20), interval=0.01)
    count = len(samples)
    times = [each.at for each in samples]
    assert 0 <= times[0] < times[1] < times[2]
    assert times == [round(at, 2) for at in times]
    assert times[1] - times[0] >= 0.19
    assert not [it for it in threading.enumerate() if it.name == "resources"]
    assert len(samples) == count


def of_bridge(use: Sequence[tuple[float, UnitUse]]) -> list[UseSample]:
    return [UseSample(at, {"jvb": each}) for at, each in use]


def test_the_spread_is_eight_tenths_of_the_samples() -> None:
    uses = [(float(n), UnitUse(0, 0.0, n, 0, 0)) for n in range(11)]
    assert spread_of(of_bridge(uses), "jvb", Resource.THREADS) == Spread(5, 1, 9)
    assert spread_of(of_bridge(uses[:6]), "jvb", Resource.THREADS) == Spread(2.5, 0.5, 4.5)
    assert spread_of(of_bridge(uses[:5]), "jvb", Resource.THREADS) is None


@pytest.mark.parametrize("seconds", [1.0, 10.0])
def test_what_only_grows_is_counted_whole_however_long_it_took(seconds: float) -> None:
    grown = [(seconds * n, UnitUse(0, float(n * n), 0, 0, 0)) for n in range(6)]
    assert spread_of(of_bridge(grown), "jvb", Resource.CPU) == Spread(25.0, 25.0, 25.0)
    assert spread_of(of_bridge(grown[:5]), "jvb", Resource.CPU) is None


def even(unit: str, **each: float) -> list[UseSample]:
    """Samples in which everything is as usual: CPU and logs are what is used from first to last."""
    return [
        UseSample(
            10.0 * n,
            {
                unit: UnitUse(
                    int(each.get("memory", 0) * MB),
                    n * each.get("cpu", 0) / 7,
                    int(each.get("threads", 0)),
                    int(each.get("descriptors", 0)),
                    int(n * each.get("log", 0) * 1024 / 7),
                )
            },
        )
        for n in range(8)
    ]


@pytest.mark.parametrize(
    ("resource", "old", "least"),
    [
        ("memory", 40, 72),
        ("memory", 400, 500),
        ("threads", 8, 18),
        ("threads", 80, 100),
        ("descriptors", 40, 60),
        ("descriptors", 200, 250),
        ("cpu", 6, 12),
        ("cpu", 48, 75),
        ("log", 60, 124),
        ("log", 384, 600),
    ],
)
def test_more_is_by_a_share_and_by_an_amount(resource: str, old: float, least: float) -> None:
    baseline = even("jvb", **{resource: old})
    assert list(compare_resources(even("jvb", **{resource: least}), baseline)) == []
    (found,) = compare_resources(even("jvb", **{resource: least + 2}), baseline)
    assert found.area == "resources" and found.severity is Severity.ATTENTION


def test_what_one_side_has_not_is_not_compared() -> None:
    new, old = even("jvb", threads=99), even("jicofo", threads=1)
    assert list(compare_resources(new, old)) == []
    assert list(compare_resources(new, None)) == []
    assert list(compare_resources(None, new)) == []


@pytest.mark.parametrize(
    ("resource", "text"),
    [
        (Resource.MEMORY, "3 MB (2-4)"),
        (Resource.CPU, "3145728.0 s"),
        (Resource.LOG, "3072 kB"),
        (Resource.THREADS, "3145728 (2097152-4194304)"),
        (Resource.DESCRIPTORS, "3145728 (2097152-4194304)"),
    ],
)
def test_amounts_have_their_units(resource: Resource, text: str) -> None:
    assert render_spread(Spread(3 * MB, 2 * MB, 4 * MB), resource) == text
