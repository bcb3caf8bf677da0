"""Vagrant's words, its failures, and the plain `vagrant` in the project's root."""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
from contextlib import nullcontext
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.core.waiting import Deadline
from labctl.node.keys import ensure_keys
from labctl.node.ssh import ensure_config
from labctl.providers.command import describe_failure
from labctl.providers.docker.provider import DockerProvider
from labctl.providers.lock import wait_unlocked
from labctl.providers.plain import ensure_plain_vagrant, remove_plain_vagrant
from labctl.providers.vagrant import VagrantMachines, parse_line, pattern
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import ProviderName, Role, Spec
from labctl.topology.workdir import ROOT, Workdir
from tests.fakes.lab import pretend_machines
from tests.fakes.nodes import FakeNodes
from tests.nullprovider import NullProvider

LOG = Path("vagrant.log")

IN_PARALLEL = """\
==> jms: Creating the container...
==> jvb1: An error occurred. The error will be shown after all tasks complete.
An error occurred while executing multiple actions in parallel.
Any errors that occurred are shown below.

An error occurred while executing the action on the 'jms'
machine. Please handle this error then try again:

A Docker command executed by Vagrant didn't complete successfully!
The command run along with the output from the command is shown
below.

Command: ["docker", "run", "--name", "labctl-demo-jms"]

Stderr: docker: Error response from daemon: No such image: labctl/jms:1.

Run 'docker run --help' for more information


Stdout:

An error occurred while executing the action on the 'jvb1'
machine. Please handle this error then try again:

The container started either never left the "stopped" state or
very quickly reverted to the "stopped" state.
"""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("==> jvb1: Starting container...", ("jvb1", "Starting container...")),
        ("    jvb1:   Name: labctl-demo-jvb1", None),
        ("Bringing machine 'jms' up with 'docker' provider...", None),
        ("", None),
    ],
)
def test_progress_lines_are_told_by_node(line: str, said: tuple[str, str] | None) -> None:
    assert parse_line(line) == said


def test_a_pattern_takes_the_named_nodes_only() -> None:
    expression = re.compile(pattern(["jvb1", "jms"]).strip("/"))
    assert [bool(expression.match(name)) for name in ("jvb1", "jms", "jvb10")] == [1, 1, 0]


VANISHED = """\
A Docker command executed by Vagrant didn't complete successfully!

Command: ["docker", "inspect", "4f7ab0", {:notify=>[:stdout, :stderr]}]

Stderr: Error: No such object: 4f7ab0
"""


CRASHED = """\
Bringing machine 'jms' up with 'docker' provider...
/usr/share/rubygems/log4r/logger.rb:124: [BUG] Segmentation fault at 0x0000000000000008
ruby 3.1.2p20 (2022-04-12 revision 4491bb740a) [x86_64-linux-gnu]

-- Control frame information -----------------------------------------------
7f02004da000-7f02004dc000 rw-p 00033000 fe:00 325835  /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
"""


class Forgetful:
    """A Vagrant that fails so often, and says why."""

    def __init__(self, output: str, *, times: int) -> None:
        self.output, self.times, self.calls = output, times, 0

    def up(self, names: str, **_: object) -> None:
        self.calls += 1
        if self.calls <= self.times:
            raise describe_failure(self.output, log=LOG, explain=DockerProvider().explain)


@pytest.mark.parametrize(
    ("output", "times", "calls", "ends"),
    [
        pytest.param(VANISHED, 1, 2, None, id="vanished once"),
        pytest.param(VANISHED, 9, 2, "A container vanished", id="again and again"),
        pytest.param(CRASHED, 1, 2, None, id="crashed once"),
        pytest.param(
            CRASHED, 9, 2, "crashed: Segmentation fault at 0x0+8.$", id="crashes again and again"
        ),
        pytest.param(IN_PARALLEL, 1, 1, "could not run", id="another failure"),
    ],
)
def test_what_a_second_try_mends_is_no_failure(
    lab: Lab,
    monkeypatch: pytest.MonkeyPatch,
    output: str,
    times: int,
    calls: int,
    ends: str | None,
) -> None:
    pretend_machines(monkeypatch, lab.topology)
    machines, vagrant = VagrantMachines(lab), Forgetful(output, times=times)
    provider = NullProvider()
    monkeypatch.setattr(machines, "_provider", provider)
    monkeypatch.setattr(machines, "_vagrant", lambda progress, **_: vagrant)
    with pytest.raises(LabError, match=ends) if ends else nullcontext():
        machines.up()
    assert vagrant.calls == calls
    prepared = [said for said in provider.said if said.startswith("prepare")]
    assert len(prepared) == calls, "what a first try has left is removed before the second"


@pytest.mark.parametrize(
    ("state", "asked"),
    [
        pytest.param("not_created", ["jms", "visitors1"], id="made anew"),
        pytest.param("stopped", ["jms", "visitors1"], id="started again"),
        pytest.param("running", [], id="running"),
    ],
)
def test_the_others_forget_what_a_machine_that_went_had_open(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, nodes: FakeNodes, state: str, asked: list[str]
) -> None:
    provider = pretend_machines(monkeypatch, lab.topology)
    provider.states["jvb1"] = state
    machines = VagrantMachines(lab)
    monkeypatch.setattr(machines, "_vagrant", lambda progress, **_: Forgetful("", times=0))
    nodes.says("*", to="ss -K '( dst 192.168.56.106 )'")
    machines.up()
    assert sorted(ran.node for ran in nodes.ran) == asked
    assert all(ran.sudo for ran in nodes.ran)


def test_a_failure_in_parallel_names_every_node_with_its_reason() -> None:
    error = describe_failure(IN_PARALLEL, log=LOG, explain=lambda _: None)
    assert error.message.splitlines() == [
        "Vagrant could not run the lab's machines.",
        "    'jms': docker: Error response from daemon: No such image: labctl/jms:1.",
        "    'jvb1': The container started either never left the \"stopped\" state or "
        'very quickly reverted to the "stopped" state.',
    ]
    assert error.log == LOG


UNEXPECTED = """\
==> jms: Starting domain.
An unexpected error occurred when executing the action on the
'jms' machine. Please report this as a bug:

Call to virDomainCreate failed: Kernel does not provide mount namespace: Permission denied

/usr/lib/ruby/vendor_ruby/fog/libvirt/requests/compute/vm_action.rb:7:in `create'
/usr/lib/ruby/vendor_ruby/fog/libvirt/requests/compute/vm_action.rb:7:in `vm_action'
"""


def test_a_failure_that_vagrant_did_not_expect_is_told_without_its_traceback() -> None:
    assert describe_failure(UNEXPECTED, log=LOG, explain=lambda _: None).message.splitlines() == [
        "Vagrant could not run the lab's machines.",
        "    'jms': Call to virDomainCreate failed: Kernel does not provide mount namespace: "
        "Permission denied",
    ]
    without_node = UNEXPECTED.replace("'jms'", "a")
    assert (
        "vm_action" not in describe_failure(without_node, log=LOG, explain=lambda _: None).message
    )


def test_a_failure_without_a_node_shows_what_vagrant_said_last() -> None:
    text = "\n".join([*(f"line {i}" for i in range(40)), "The provider is not usable."])
    message = describe_failure(text, log=LOG, explain=lambda _: None).message
    assert "The provider is not usable." in message
    assert "line 3\n" not in message


def test_plain_vagrant_follows_the_current_lab(tmp_path: Path) -> None:
    workdir = Workdir.of("demo", root=tmp_path)
    (tmp_path / ".vagrant" / "rgloader").mkdir(parents=True)
    ensure_plain_vagrant(workdir, root=tmp_path)
    ensure_plain_vagrant(workdir, root=tmp_path)
    (tmp_path / ".lab" / "current").symlink_to("demo")
    assert (tmp_path / ".vagrant").resolve() == workdir.vagrant.resolve()
    remove_plain_vagrant(root=tmp_path)
    assert (tmp_path / ".vagrant").is_symlink()
    shutil.rmtree(workdir.path)
    remove_plain_vagrant(root=tmp_path)
    assert not (tmp_path / ".vagrant").is_symlink()


def test_machines_of_somebody_else_are_left_alone(tmp_path: Path) -> None:
    machine = tmp_path / ".vagrant" / "machines" / "default" / "virtualbox"
    machine.mkdir(parents=True)
    (machine / "id").write_text("1")
    with pytest.raises(LabError, match="labctl did not make"):
        ensure_plain_vagrant(Workdir.of("demo", root=tmp_path), root=tmp_path)
    assert (machine / "id").is_file()


def test_a_vagrant_left_at_work_is_waited_for_and_told(tmp_path: Path) -> None:
    lock = tmp_path / "demo" / "vagrant.lock"
    lock.parent.mkdir()
    wait_unlocked(lock, deadline=Deadline.after(1))
    with lock.open("a") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(LabError, match="is still working on lab 'demo'"):
            wait_unlocked(lock, deadline=Deadline.after(0.1))
    wait_unlocked(lock, deadline=Deadline.after(1))


needs_vagrant = pytest.mark.skipif(not shutil.which("vagrant"), reason="vagrant is not installed")


def vagrant(root: Path, *words: str, more: str = "") -> str:
    """What Vagrant says with the project's Vagrantfile, and what is added to it."""
    text = (ROOT / "Vagrantfile").read_text(encoding="utf-8")
    (root / "Vagrantfile").write_text(text + more, encoding="utf-8")
    done = subprocess.run(
        ["vagrant", *words],
        cwd=root,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(root), "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.stdout


@pytest.mark.programs
@pytest.mark.slow
@needs_vagrant
def test_a_tree_without_a_lab_says_so(tmp_path: Path) -> None:
    said = vagrant(tmp_path, "status")
    assert "There is no lab here yet. Run 'bin/labctl up'" in said
    assert ".rb:" not in said


@pytest.mark.programs
@pytest.mark.engine
@pytest.mark.slow
@needs_vagrant
@pytest.mark.parametrize("machines", [None, {}], ids=["no machines.json", "as docker has it"])
def test_plain_vagrant_lists_the_nodes_of_the_current_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machines: dict[str, str] | None
) -> None:
    topology = resolve(Spec(lab="demo", jvbs=2, visitors=9))
    workdir = Workdir.of("demo", root=tmp_path)
    workdir.save_topology(topology.with_images(dict.fromkeys(Role, "none")))
    if machines is not None:
        workdir.save_machines(machines)
    ensure_keys(Lab(workdir, topology))
    ensure_config(Lab(workdir, topology))
    (tmp_path / ".lab" / "current").symlink_to("demo")
    ensure_plain_vagrant(workdir, root=tmp_path)
    said = vagrant(tmp_path, "status")
    states = re.findall(r"^(\S+) +not created \(docker\)$", said, re.MULTILINE)
    assert states == ["jms", "jvb1", "jvb2", "visitors1", "visitors2"], said


SPARED = """
begin
  kind = Vagrant.plugin("2").manager.providers[:docker].first
  asked = []
  executor = Class.new do
    define_method(:execute) do |*words, **_|
      asked << words.join(" ")
      { "ps" => "an-id", "inspect" => '[{"HostConfig": {}}]' }.fetch(words[1], "")
    end
  end
  VagrantPlugins::DockerProvider::Driver.prepend(Module.new do
    define_method(:initialize) { super(); @executor = executor.new }
  end)
  driver = VagrantPlugins::DockerProvider::Driver.new
  driver.read_used_ports
  2.times { kind.usable?(true); driver.created?("an-id"); driver.created?("another") }
  driver.rm("an-id")
  driver.created?("an-id")
  $stdout.puts "asked: #{asked.join(", ")}"
  pair = [1, 2].map { Log4r::Logger.new("labctl::test") }
  $stdout.puts "loggers: #{pair.uniq.size}, #{pair.last.name}, #{Log4r::Logger.new("other").name}"
end
"""
"""Ruby after the Vagrantfile: what a driver of Vagrant's asks an engine that has one container."""

PS = "docker ps -a -q --no-trunc"


@pytest.mark.programs
@pytest.mark.slow
@needs_vagrant
@pytest.mark.parametrize(
    ("provider", "asked"),
    [
        pytest.param(
            ProviderName.DOCKER,
            ["docker version", PS, PS, PS, "docker rm -f -v an-id", PS],
            id="docker",
        ),
        pytest.param(
            ProviderName.LIBVIRT,
            [
                PS,
                "docker inspect an-id",
                *["docker version", PS, PS] * 2,
                PS,
                "docker rm -f -v an-id",
                PS,
            ],
            id="libvirt",
        ),
    ],
)
def test_vagrant_does_not_ask_the_engine_what_it_knows(
    tmp_path: Path, provider: ProviderName, asked: list[str]
) -> None:
    """A container that it saw is there; one that it did not see, or has removed, is asked for."""
    workdir = Workdir.of("demo", root=tmp_path)
    workdir.save_topology(resolve(Spec(lab="demo", provider=provider)))
    (tmp_path / ".lab" / "current").symlink_to("demo")
    said = vagrant(tmp_path, "validate", more=SPARED)
    assert f"asked: {', '.join(asked)}\n" in said, said
    assert "loggers: 1, test, other\n" in said, said


def test_nobody_is_at_work_on_a_lab_that_is_not_there(tmp_path: Path) -> None:
    lock = tmp_path / "gone" / "vagrant.lock"
    wait_unlocked(lock, deadline=Deadline.after(0))
    assert not lock.parent.exists()
