"""Paths that people have: blanks, quotes, colons, percent signs, umlauts, long ones."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.images.debs import Deb, write_repository
from labctl.lab import verify as lab_verify
from labctl.node.ssh import control_dir, ensure_config, quoted
from labctl.spec import load_spec
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir

SPEC = Spec(lab="demo", jvbs=0, visitors=0)
NAMES = [
    pytest.param("my labs", id="blank"),
    pytest.param("50%h %d", id="percent"),
    pytest.param("a:b", id="colon"),
    pytest.param("$HOME and $x", id="dollar"),
    pytest.param('it\'s "quoted"', id="quotes"),
    pytest.param("back\\slash", id="backslash"),
    pytest.param("Übung für Köln", id="umlauts"),
    pytest.param("a,b=c;d#e", id="punctuation"),
    pytest.param("l" * 120, id="120 characters"),
]


@pytest.fixture(params=NAMES)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    found = tmp_path / str(request.param)
    found.mkdir()
    return found


def lab_in(folder: Path) -> Lab:
    return Lab(Workdir.of("demo", root=folder), resolve(SPEC))


def said_by(words: list[str | Path]) -> str:
    """What ssh says; it writes unusual characters as C does."""
    said = subprocess.run(words, capture_output=True).stderr
    return said.decode("unicode_escape").encode("latin-1").decode("utf-8")


@pytest.mark.programs
def test_ssh_finds_its_keys_and_sockets(folder: Path) -> None:
    """Asked of ssh itself: what it tried to read, and where it looked for a connection."""
    lab = lab_in(folder)
    lab.folder.ssh.mkdir(parents=True)
    key = lab.folder.ssh / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    ensure_config(lab)
    words = ["ssh", "-F", lab.folder.ssh_config, "-o", "ProxyCommand=false", "-v", "jms", "true"]
    assert f"identity file {key.resolve()} type 3" in said_by(words)
    socket = control_dir(lab.folder) / "192.168.56.105"
    assert f"({socket})" in said_by([*words[:3], "-O", "check", "jms"])
    # The kernel's limit for a socket's name, and the 17 characters that ssh adds for a moment.
    assert len(str(socket)) + 17 < 108


@pytest.mark.parametrize("text", ["/a/${HOME}/b", "/a/b\nc"], ids=["variable", "line break"])
def test_what_ssh_cannot_be_told_is_an_error(text: str) -> None:
    with pytest.raises(LabError, match="ssh cannot use the path"):
        quoted(Path(text))


@pytest.mark.programs
@pytest.mark.skipif(shutil.which("ruby") is None, reason="needs Ruby, which Vagrant brings along")
def test_the_engine_is_given_the_labs_files(folder: Path, root: Path) -> None:
    """Docker reads `--mount` as a line of CSV."""
    text = (root / "Vagrantfile").read_text(encoding="utf-8")
    [mount] = re.findall(r"(?ms)^mount = lambda do.*?^end$", text)
    script = f'lab_dir = ARGV[0]\n{mount}\nputs mount.call("ssh/nodes/jms", "/etc/ssh/lab")'
    done = subprocess.run(
        ["ruby", "-e", script, folder], capture_output=True, text=True, check=True
    )
    [fields] = csv.reader([done.stdout.rstrip("\n")])
    assert fields == [
        "type=bind",
        f"source={folder}/ssh/nodes/jms",
        "target=/etc/ssh/lab",
        "readonly",
    ]
    assert '"-v", "#{' not in text


@pytest.mark.parametrize("way", ["flag", "key", "config"])
def test_packages_and_lab_conf_may_be_anywhere(folder: Path, way: str) -> None:
    conf = folder / "lab.conf"
    if way == "flag":
        conf.write_text("jvbs = 1\n", encoding="utf-8")
        spec, _ = load_spec(conf, {"packages": f"debs:{folder}"})
    else:
        path = str(folder) if way == "key" else "."
        text = path.replace("\\", "\\\\").replace('"', '\\"')
        conf.write_text(f'packages {{ source = debs, path = "{text}" }}\n', encoding="utf-8")
        spec, _ = load_spec(conf, {})
    assert spec.packages.path == str(folder.resolve())


def test_downloaded_packages_are_found_by_apt_whatever_their_files_are_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labctl.images.debs.read_control", lambda _: "Package: jicofo\n")
    file = tmp_path / "jicofo_1%3a1.0-1 (2) für uns.deb"
    file.write_bytes(b"deb")
    write_repository(tmp_path / "apt", [Deb("jicofo", "1:1.0-1", "all", file, "0" * 64)])
    index = (tmp_path / "apt" / "Packages").read_text(encoding="utf-8")
    [name] = re.findall(r"(?m)^Filename: \./(.*)$", index)
    assert re.fullmatch(r"[A-Za-z0-9._+~-]+", name) and (tmp_path / "apt" / name).is_file()


def test_the_suite_runs_where_the_project_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    lab = lab_in(folder)
    lab.folder.path.mkdir(parents=True)
    lab.folder.save_topology(lab.topology)
    monkeypatch.setattr(lab_verify, "ROOT", folder)

    def pass_through(argv: list[object], *, cwd: Path, env: dict[str, str]) -> int:
        seen.append([str(word) for word in argv])
        assert cwd == folder and not env.get("PYTHONPATH")
        return 0

    monkeypatch.setattr(lab_verify, "pass_through", pass_through)
    assert lab_verify.verify(lab.folder, (), record=True) == 0
    [junit] = [word for word in seen[0] if word.startswith("--junitxml=")]
    # pytest reads variables in it.
    assert str(folder) not in junit and junit.startswith("--junitxml=.lab/demo/")
