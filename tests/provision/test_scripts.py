"""The scripts of the nodes, run for real in a folder of this machine."""

import grp
import os
import pwd
import subprocess
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from labctl.node.sections import parse_sections
from provision.archive import render_archive
from provision.explain import explain
from provision.facts import NodeFacts, parse_facts, render_questions, script
from provision.manifest import Manifest, ManifestEntry
from provision.plan import ProvisionPlan, make_plan
from provision.problem import NodeProblem

pytestmark = pytest.mark.programs

ME = pwd.getpwuid(os.getuid()).pw_name
MY_GROUP = grp.getgrgid(os.getgid()).gr_name
TIMEOUT = 30
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a script of `provision/node` with its state below `tmp_path`."""

    def run(name: str, data: str, **env: str) -> subprocess.CompletedProcess[str]:
        text = script(name).text
        text = text.replace("/var/lib/labctl", f"{tmp_path}/state")
        text = text.replace("/run/labctl-place", f"{tmp_path}/place")
        return subprocess.run(
            ["/bin/sh", "-c", text],
            input=data,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    return run


def entry(path: Path, text: str, mode: int = 0o640) -> ManifestEntry:
    return ManifestEntry(str(path), ME, MY_GROUP, mode, sha256(text.encode()).hexdigest())


def render(tree: Path, manifest: Manifest, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        source = tree / path.lstrip("/")
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(text)
    assert {e.path for e in manifest.files} >= set(texts)


def look(run: Run, manifest: Manifest) -> NodeFacts:
    sections = parse_sections(run("inspect", render_questions(manifest)).stdout)
    return parse_facts(sections, manifest=manifest)


def plan_of(run: Run, manifest: Manifest) -> ProvisionPlan:
    return make_plan(manifest, look(run, manifest))


def test_place_finish_and_nothing_to_do(run: Run, tmp_path: Path) -> None:
    node, tree, state = tmp_path / "node", tmp_path / "tree", tmp_path / "state"
    conf, data = node / "etc" / "a b.conf", node / "lib" / "auth%2ex" / "focus.dat"
    link, gone = node / "etc" / "on", node / "etc" / "default"
    gone.parent.mkdir(parents=True)
    gone.touch()
    manifest = Manifest(
        node="jms",
        files=(entry(conf, "one\n", 0o644), entry(data, "secret\n")),
        dirs=(ManifestEntry(str(node / "own"), ME, MY_GROUP, 0o700),),
        links={str(link): "a b.conf"},
        absent=(str(gone),),
        text='{"node": "jms"}\n',
    )
    render(tree, manifest, {str(conf): "one\n", str(data): "secret\n"})

    plan = plan_of(run, manifest)
    placed = run("place", render_archive(plan, files=tree))
    assert (placed.returncode, placed.stdout) == (0, "")
    assert conf.read_text() == "one\n"
    assert data.stat().st_mode & 0o777 == 0o640
    assert data.parent.stat().st_mode & 0o777 == 0o750
    assert (node / "own").stat().st_mode & 0o777 == 0o700
    assert link.readlink() == Path("a b.conf")
    assert not gone.exists()
    assert set((state / "pending").read_text().splitlines()) == plan.dirty
    assert not list(tmp_path.glob("place.*"))

    # Killed here: every file is right, and still the next plan has all of them as changed.
    again = plan_of(run, manifest)
    assert not again.write
    assert again.dirty >= plan.dirty

    assert run("finish", f"{manifest.digest}\n{manifest.text}").returncode == 0
    assert not (state / "pending").exists()
    assert (state / "manifest.json").read_text() == manifest.text


def test_units_are_enabled_at_once_and_read_again_once(run: Run, tmp_path: Path) -> None:
    systemctl = tmp_path / "bin" / "systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text(f"#!/bin/sh\necho $SYSTEMD_OFFLINE $* >>{tmp_path}/calls\n")
    systemctl.chmod(0o755)
    plan = replace(make_plan(Manifest(node="jms"), NodeFacts()), enable=("a", "b"))
    path = {"PATH": f"{systemctl.parent}:{os.environ['PATH']}"}
    archive = render_archive(replace(plan, daemon_reload=True), files=tmp_path)
    assert run("place", archive, **path).returncode == 0
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls == ["1 enable --quiet -- a b", "daemon-reload"]

    systemctl.write_text("#!/bin/sh\necho Unit b.service does not exist. >&2\nexit 1\n")
    refused = run("place", archive, **path)
    assert refused.returncode == 1
    problem = explain("jms", "place", refused.stdout.splitlines())
    assert "systemctl cannot enable 'b'." in str(problem)
    assert "Unit b.service does not exist." in str(problem)
    assert "cannot enable 'a'" not in str(problem)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
def test_an_archive_that_was_cut_changes_nothing(run: Run, tmp_path: Path, part: float) -> None:
    conf = tmp_path / "node" / "x.conf"
    manifest = Manifest(node="jms", files=(entry(conf, "one\n"),), text="{}\n")
    render(tmp_path / "tree", manifest, {str(conf): "one\n"})
    archive = render_archive(plan_of(run, manifest), files=tmp_path / "tree")
    placed = run("place", archive[: int(len(archive) * part)])
    assert placed.returncode == 1
    assert "did not arrive whole" in placed.stdout
    assert not conf.exists()
    assert not (tmp_path / "state" / "pending").exists()


def test_a_manifest_that_was_cut_is_not_recorded(run: Run, tmp_path: Path) -> None:
    manifest = Manifest(node="jms", text='{"node": "jms"}\n')
    assert run("finish", f"{manifest.digest}\n{manifest.text[:5]}").returncode == 1
    assert not (tmp_path / "state" / "manifest.json").exists()


def test_a_tree_that_is_not_what_the_manifest_says_is_refused(run: Run, tmp_path: Path) -> None:
    conf = tmp_path / "node" / "x.conf"
    manifest = Manifest(node="jms", files=(entry(conf, "one\n"),), text="{}\n")
    render(tmp_path / "tree", manifest, {str(conf): "two\n"})
    with pytest.raises(NodeProblem, match="differs from the manifest"):
        render_archive(plan_of(run, manifest), files=tmp_path / "tree")


def test_commands_stop_at_the_first_that_fails(run: Run, tmp_path: Path) -> None:
    done = run("commands", f"echo one\necho bad >&2; exit 3\ntouch {tmp_path}/never")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "one",
        "bad",
        "failed\techo bad >&2; exit 3\texit status 3",
    ]
    assert not (tmp_path / "never").exists()


def test_listeners_are_told_with_their_unit(run: Run, tmp_path: Path) -> None:
    # As printed by iproute2 6.15 in a Docker node: root there does not see Prosody's process.
    shim = tmp_path / "bin" / "ss"
    shim.parent.mkdir()
    shim.write_text(
        "#!/bin/sh\ncat <<'END'\n"
        'LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:(("nginx",pid=9,fd=5)) ino:1 sk:1 '
        "cgroup:/docker/ab/system.slice/nginx.service <->\n"
        "LISTEN 0 128 [::]:52221 [::]:* uid:995 ino:2 sk:2 "
        "cgroup:/system.slice/system-prosody.slice/prosody-v@1.service v6only:1 <->\n"
        'LISTEN 0 5 *:7005 *:* users:(("nc",pid=3,fd=3)) ino:3 sk:3 cgroup:/docker/ab <->\n'
        "LISTEN 0 5 127.0.0.1:99 0.0.0.0:* uid:1 ino:4 sk:4 <->\n"
        "END\n"
    )
    shim.chmod(0o755)
    manifest = Manifest(node="jms")
    path = f"{shim.parent}:{os.environ['PATH']}"
    output = run("inspect", render_questions(manifest), PATH=path).stdout
    seen = parse_facts(parse_sections(output), manifest=manifest).listeners
    assert [(s.port, s.address, s.unit, s.process) for s in seen] == [
        (80, "0.0.0.0", "nginx.service", 'users:(("nginx",pid=9,fd=5))'),
        (52221, "[::]", "prosody-v@1.service", "a process of uid:995"),
        (7005, "*", "-", 'users:(("nc",pid=3,fd=3))'),
        (99, "127.0.0.1", "?", "a process of uid:1"),
    ]


@pytest.mark.parametrize("name", ["inspect", "place", "commands", "units", "finish"])
def test_scripts_are_posix_sh(name: str) -> None:
    text = script(name).text
    checked = subprocess.run(
        ["/bin/sh", "-n"], input=text, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")
