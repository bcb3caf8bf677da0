"""What a bake is given, and what is read back; the templates in the eyes of Packer itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from labctl.debian import Mirror, load_release
from labctl.errors import LabError
from labctl.model import Channel, Packages, PackageSource, Role
from labctl.packages import MAIN_PACKAGES, Origin, Package, PackageSet, jitsi_set
from labctl.packer import (
    PLACEHOLDER_HOST,
    TEMPLATES,
    UPLOAD,
    Bake,
    origin_of,
    parse_installed,
    parse_manifest,
    parse_version,
    render_backports,
    render_bake_sources,
    render_packages,
    render_pins,
    render_preseed,
    save_input,
    template_variables,
)

LOCAL = PackageSet(
    tuple(
        Package(name, Origin.STAND_INS, "0~standin1")
        for name in ("jicofo", "jitsi-videobridge2", "jitsi-meet-prosody", "jitsi-meet-web-config")
    ),
)


def make_bake(role: Role, log: Path, *, packages: PackageSet = LOCAL) -> Bake:
    mirror = Mirror("http://m.example/debian")
    return Bake(role, "labctl/base:abc", packages, mirror, load_release(), "x-bake", log)


@pytest.mark.parametrize(
    ("text", "version"),
    [("Packer v1.6.6\n", (1, 6)), ("Packer v1.11.2\n\nYour version is old", (1, 11))],
    ids=["Debian 12", "current"],
)
def test_version(text: str, version: tuple[int, int]) -> None:
    assert parse_version(text) == version


def test_version_that_is_none() -> None:
    with pytest.raises(LabError, match="names no version"):
        parse_version("cracklib: packing words")


def test_roles_get_their_packages_and_prosody_by_a_pin() -> None:
    release = load_release()
    jms = render_packages(LOCAL, role=Role.JMS, release=release).split()
    assert {"prosody", "nginx", "coturn", "jicofo=0~standin1"} <= set(jms)
    assert render_packages(LOCAL, role=Role.JVB, release=release) == (
        "jitsi-videobridge2=0~standin1\n"
    )
    visitors = render_packages(LOCAL, role=Role.VISITORS, release=release).split()
    # The postinst of the first asks a question of the second: both in the same call.
    assert {"jitsi-meet-prosody=0~standin1", "jitsi-meet-web-config=0~standin1"} <= set(visitors)
    assert not {"nginx", "jicofo=0~standin1"} & set(visitors)
    assert render_backports(release) == (
        "Package: prosody\nPin: release n=trixie-backports\nPin-Priority: 990\n"
    )


def test_what_is_not_known_of_jitsis_repository_has_no_version() -> None:
    packages = jitsi_set(Packages(source=PackageSource.JITSI, versions={"jicofo": "1.0-7-1"}))
    lines = render_packages(packages, role=Role.JMS, release=load_release()).split()
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
    text = render_bake_sources(jitsi_set(Packages(channel=Channel.TESTING)), role=Role.JVB)
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
    save_input(make_bake(Role.JVB, tmp_path / "log"), folder=tmp_path / "input")
    names = {path.name for path in (tmp_path / "input").iterdir()}
    script = (TEMPLATES / "scripts" / "install.sh").read_text()
    assert set(re.findall(r"\$input/([\w.-]+)", script)) <= names


def test_upload_folder_is_the_same_in_the_templates() -> None:
    assert f'upload = "{UPLOAD}"' in (TEMPLATES / "variables.pkr.hcl").read_text()


def test_variables_are_those_that_the_templates_declare(tmp_path: Path) -> None:
    text = (TEMPLATES / "variables.pkr.hcl").read_text()
    given = template_variables(make_bake(Role.JMS, tmp_path), given=tmp_path, output=tmp_path)
    assert set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE)) == set(given)


def test_no_required_plugins_where_packer_1_6_would_read_them() -> None:
    texts = [path.read_text() for path in TEMPLATES.glob("*.pkr.hcl")]
    assert texts
    assert not any("required_plugins" in text for text in texts)


def test_answers_of_packer() -> None:
    manifest = {"builds": [{"artifact_id": "sha256:old"}, {"artifact_id": "sha256:new"}]}
    assert parse_manifest(json.dumps(manifest)) == "sha256:new"
    assert parse_installed("prosody\t13.0.6-1\nnginx\t1.26\n\n") == {
        "prosody": "13.0.6-1",
        "nginx": "1.26",
    }


def test_origin_of_installed_packages() -> None:
    assert origin_of("jicofo", LOCAL) is Origin.STAND_INS
    assert origin_of("prosody", LOCAL) is Origin.DEBIAN


@pytest.mark.programs
@pytest.mark.skipif(shutil.which("packer") is None, reason="needs Packer")
def test_templates_are_valid(tmp_path: Path) -> None:
    given = template_variables(make_bake(Role.JMS, tmp_path), given=tmp_path, output=tmp_path)
    variables = tmp_path / "v.pkrvars.json"
    variables.write_text(json.dumps(given))
    result = subprocess.run(
        ["packer", "validate", f"-var-file={variables}", TEMPLATES],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "CHECKPOINT_DISABLE": "1", "HOME": str(tmp_path)},
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.programs
@pytest.mark.parametrize(
    "script", sorted((TEMPLATES / "scripts").glob("*.sh")), ids=lambda path: path.name
)
def test_scripts_are_shell(script: Path) -> None:
    subprocess.run(["sh", "-n", script], check=True)
    assert "set -eu\n" in script.read_text()
