"""What a bake is given, and what is read back; the templates in the eyes of Packer itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.images.bakeinput import (
    PLACEHOLDER_HOST,
    UPLOAD,
    BakeInput,
    origin_of,
    render_backports,
    render_bake_sources,
    render_packages,
    render_pins,
    render_preseed,
    save_input,
)
from labctl.images.debian import Mirror, load_release
from labctl.images.packages import MAIN_PACKAGES, Package, PackageOrigin, PackageSet, jitsi_set
from labctl.images.packer import (
    BUILT_IN,
    PLUGINS,
    STEPS,
    TEMPLATES,
    common_variables,
    entry_point,
    parse_installed,
    parse_step,
    parse_version,
)
from labctl.node.keys import ensure_key
from labctl.providers.docker.bake import parse_manifest
from labctl.topology.spec import Packages, PackageSource, RepositoryChannel, Role

LOCAL = PackageSet(
    tuple(
        Package(name, PackageOrigin.STAND_INS, "0~standin1")
        for name in ("jicofo", "jitsi-videobridge2", "jitsi-meet-prosody", "jitsi-meet-web-config")
    ),
)


def make_input(role: Role) -> BakeInput:
    return BakeInput(role, LOCAL, Mirror("http://m.example/debian"), load_release())


def all_variables(tmp_path: Path) -> dict[str, str]:
    """What the sources need together; each bake gives its own part."""
    own = ("base", "container", "machine", "seed", "ssh_key")
    return common_variables(make_input(Role.JMS), scratch=tmp_path) | dict.fromkeys(own, "x")


@pytest.mark.parametrize(
    ("text", "version"),
    [("Packer v1.6.6\n", (1, 6)), ("Packer v1.11.2\n\nYour version is old", (1, 11))],
    ids=["Debian 12", "current"],
)
def test_version(text: str, version: tuple[int, int]) -> None:
    assert parse_version(text) == version


def test_version_that_is_none() -> None:
    with pytest.raises(LabError, match="which is not a version"):
        parse_version("cracklib: packing words")


def test_roles_get_their_packages_and_prosody_by_a_pin() -> None:
    jms = render_packages(LOCAL, role=Role.JMS).split()
    assert {"prosody", "nginx", "coturn", "jicofo=0~standin1"} <= set(jms)
    assert render_packages(LOCAL, role=Role.JVB) == ("jitsi-videobridge2=0~standin1\n")
    visitors = render_packages(LOCAL, role=Role.VISITORS).split()
    # The postinst of the first asks a question of the second: both in the same call.
    assert {"jitsi-meet-prosody=0~standin1", "jitsi-meet-web-config=0~standin1"} <= set(visitors)
    assert not {"nginx", "jicofo=0~standin1"} & set(visitors)
    assert render_backports(load_release()) == (
        "Package: prosody\nPin: release n=trixie-backports\nPin-Priority: 990\n"
    )


def test_what_is_not_known_of_jitsis_repository_has_no_version() -> None:
    packages = jitsi_set(Packages(source=PackageSource.JITSI, versions={"jicofo": "1.0-7-1"}))
    lines = render_packages(packages, role=Role.JMS).split()
    assert "jicofo=1.0-7-1" in lines
    assert "jitsi-meet-web" in lines


def test_answers_name_the_certificate_choice_to_the_letter_and_no_book_keeping() -> None:
    text = render_preseed(PLACEHOLDER_HOST)
    assert "cert-choice select Generate a new self-signed certificate\n" in text
    questions = {line.split()[1] for line in text.splitlines()}
    assert not {q for q in questions if re.fullmatch(r"jitsi-meet(-\w+)?/jvb-hostname", q)}
    assert f"jitsi-videobridge/jvb-hostname string {PLACEHOLDER_HOST}" in text


def test_passwords_are_new_for_every_bake() -> None:
    def passwords() -> set[str]:
        return set(re.findall(r" password (\S{16,})", render_preseed("h")))

    first = passwords()
    assert len(first) == 2
    assert not first & passwords()


def test_jitsis_repository_is_named_only_where_it_is_needed() -> None:
    assert "download.jitsi.org" not in render_bake_sources(LOCAL, role=Role.JMS)
    text = render_bake_sources(
        jitsi_set(Packages(channel=RepositoryChannel.TESTING)), role=Role.JVB
    )
    assert "URIs: https://download.jitsi.org\nSuites: testing/\n" in text
    assert f"Signed-By: {UPLOAD}/jitsi.gpg" in text


def test_pins_take_the_chosen_versions_of_jitsis_and_nothing_else_of_its_repository() -> None:
    known = dict.fromkeys(MAIN_PACKAGES, ("2-1", "1-1"))
    packages = jitsi_set(Packages(versions={"jicofo": "1-1"}), known=known)
    pins = render_pins(packages, role=Role.JMS).split("\n\n")
    assert "Package: jicofo\nPin: version 1-1\nPin-Priority: 1001" in pins
    assert "Package: jitsi-meet-web\nPin: version 2-1\nPin-Priority: 1001" in pins
    assert pins[-1] == 'Package: *\nPin: origin "download.jitsi.org"\nPin-Priority: 100\n'
    assert render_pins(LOCAL, role=Role.JMS) == (
        "Package: *\nPin: release o=labctl\nPin-Priority: 1001\n"
    )


def test_input_of_a_bake(tmp_path: Path) -> None:
    save_input(make_input(Role.JVB), folder=tmp_path / "input")
    names = {path.name for path in (tmp_path / "input").iterdir()}
    script = (TEMPLATES / "scripts" / "install.sh").read_text()
    assert set(re.findall(r"\$input/([\w.-]+)", script)) <= names
    units = (tmp_path / "input" / "units").read_text().split()
    assert units == ["jitsi-videobridge2", "nftables"]
    check = (TEMPLATES / "scripts" / "check.sh").read_text()
    # Of the answers that may be there, and what it writes itself, it makes no demands.
    assert set(re.findall(r"\$input/([\w.-]+)", check)) - {"secrets", "installed"} <= names


def test_upload_folder_is_the_same_in_the_templates() -> None:
    assert f'upload = "{UPLOAD}"' in (TEMPLATES / "variables.pkr.hcl").read_text()


def test_variables_are_those_that_the_templates_declare(tmp_path: Path) -> None:
    text = (TEMPLATES / "variables.pkr.hcl").read_text()
    declared = re.findall(r'^variable "(\w+)" {\n(.*?)^}', text, re.MULTILINE | re.DOTALL)
    needed = {name for name, body in declared if "default" not in body}
    given = set(all_variables(tmp_path))
    assert needed <= given <= {name for name, _ in declared}


def test_entry_points_share_their_definitions_and_only_one_wants_plugins() -> None:
    shared = {"build.pkr.hcl", "sources.pkr.hcl", "variables.pkr.hcl"}
    assert {path.name for path in BUILT_IN.iterdir()} == shared
    assert {path.name for path in PLUGINS.iterdir()} == shared | {"plugins.pkr.hcl"}
    for entry in (BUILT_IN, PLUGINS):
        for name in shared:
            assert (entry / name).resolve() == TEMPLATES / name
            assert "required_plugins" not in (entry / name).read_text()
    assert entry_point((1, 6)) == BUILT_IN
    assert entry_point((1, 7)) == entry_point((1, 15)) == PLUGINS


def test_every_plugin_of_the_sources_is_pinned() -> None:
    kinds = set(re.findall(r'^source "([a-z]+)', (TEMPLATES / "sources.pkr.hcl").read_text(), re.M))
    pinned = re.findall(
        r'(\w+) = {\n +source +=.*\n +version = "~> [\d.]+"',
        (PLUGINS / "plugins.pkr.hcl").read_text(),
    )
    assert kinds == set(pinned)


def test_answers_of_packer() -> None:
    manifest = {"builds": [{"artifact_id": "sha256:old"}, {"artifact_id": "sha256:new"}]}
    assert parse_manifest(json.dumps(manifest)) == "sha256:new"
    assert parse_installed("prosody\t13.0.6-1\nnginx\t1.26\n\n") == {
        "prosody": "13.0.6-1",
        "nginx": "1.26",
    }


@pytest.mark.parametrize(
    ("line", "step"),
    [
        (
            "2026-11-21T16:44:50Z: ==> qemu.role: Provisioning with shell script:"
            " packer/entry/built-in/../../scripts/install.sh",
            "installing packages",
        ),
        (
            "2026-11-21T16:43:58Z: ==> qemu.role: Waiting for SSH to become available...",
            "waiting until the machine is up",
        ),
        ("2026-11-21T16:50:49Z:     qemu.role: Setting up nginx (1.26.3-3) ...", None),
    ],
)
def test_steps(line: str, step: str | None) -> None:
    assert parse_step(line) == step


def test_steps_are_those_of_the_build() -> None:
    text = (TEMPLATES / "build.pkr.hcl").read_text()
    scripts = [words for words in STEPS if words.startswith("scripts/")]
    assert scripts
    assert all(script in text for script in scripts)


def test_origin_of_installed_packages() -> None:
    assert origin_of("jicofo", LOCAL) is PackageOrigin.STAND_INS
    assert origin_of("prosody", LOCAL) is PackageOrigin.DEBIAN


needs_packer = pytest.mark.skipif(shutil.which("packer") is None, reason="needs Packer")


def packer(*words: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "CHECKPOINT_DISABLE": "1", "HOME": str(home)}
    return subprocess.run(["packer", *words], capture_output=True, text=True, env=env, check=False)


@pytest.mark.programs
@needs_packer
@pytest.mark.parametrize("source", ["docker.role", "qemu.role", "virtualbox-ovf.role"])
def test_templates_are_valid(tmp_path: Path, source: str) -> None:
    entry = entry_point(parse_version(packer("version", home=tmp_path).stdout))
    if entry == PLUGINS and packer("init", entry, home=tmp_path).returncode != 0:
        pytest.skip("this Packer has no builders built in, and its plugins cannot be fetched")
    disk = tmp_path / "base.ovf"
    disk.write_bytes(b"")
    ensure_key(tmp_path / "key", comment="test")
    (tmp_path / "input").mkdir()
    given = all_variables(tmp_path) | {"base": str(disk), "ssh_key": str(tmp_path / "key")}
    variables = tmp_path / "v.pkrvars.json"
    variables.write_text(json.dumps(given))
    words = ("validate", f"-only={source}", f"-var-file={variables}", entry)
    result = packer(*words, home=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.programs
@needs_packer
def test_templates_are_formatted(tmp_path: Path) -> None:
    for folder in (TEMPLATES, PLUGINS):
        result = packer("fmt", "-check", "-diff", folder, home=tmp_path)
        assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.programs
@pytest.mark.parametrize(
    "script",
    sorted((*(TEMPLATES / "scripts").glob("*.sh"), *(TEMPLATES / "disk").glob("*.sh"))),
    ids=lambda path: path.name,
)
def test_scripts_are_shell(script: Path) -> None:
    subprocess.run(["sh", "-n", script], check=True)
    assert "set -eu\n" in script.read_text()
