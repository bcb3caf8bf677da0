"""Every difference between the stand-ins' files and what is rendered has been reviewed."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from labctl.drift import nginxconf, prosodyconf
from labctl.drift.intended import load_intended, reason_of
from labctl.drift.read import KEPT, with_placeholders
from labctl.drift.sections import SettingDifference, compare
from labctl.images.bakeinput import PLACEHOLDER_HOST
from labctl.images.standins import STANDINS
from labctl.topology.layout import resolve
from tests.rendering import CASES, fixed_trees

SITE = "jitsi-meet-web-config/root/usr/share/jitsi-meet-web-config/jitsi-meet.example"


def unknown(differences: list[SettingDifference]) -> list[SettingDifference]:
    intended = load_intended()
    return [it for it in differences if reason_of(it, intended) is None]


def rendered(case: str, path: str) -> str:
    files = {file.path: file.text for file in fixed_trees(CASES[case])[0].files}
    return files[path]


@pytest.mark.parametrize("case", CASES)
def test_nginx_site(case: str) -> None:
    topology = resolve(CASES[case])
    example = (STANDINS / SITE).read_text().replace("jitsi-meet.example.com", PLACEHOLDER_HOST)
    placed = rendered(case, f"/etc/nginx/sites-available/{topology.domain}.conf")
    sides = [
        nginxconf.parse_sections(with_placeholders(text, topology), source="'x'")
        for text in (example, placed)
    ]
    differences = compare("nginx-site", *sides)
    assert differences
    assert unknown(differences) == []


@pytest.mark.engine
@pytest.mark.parametrize("case", CASES)
def test_prosody(case: str, jms_image: str) -> None:
    topology = resolve(CASES[case])
    main = "/etc/prosody/prosody.cfg.lua"
    kept = [f"{KEPT}{main}", f"{KEPT}/etc/prosody/conf.avail/{PLACEHOLDER_HOST}.cfg.lua"]
    put = f"printf %s {shlex.quote(rendered(case, main))} > /placed.lua"
    command = f"{put} && exec lua5.4 - {KEPT} {' '.join(kept)} -- '' /placed.lua"
    done = subprocess.run(
        ["docker", "run", "--rm", "-i", "--network", "none", jms_image, "sh", "-c", command],
        input=prosodyconf.SCRIPT.read_text(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    lines = with_placeholders(done.stdout, topology).splitlines()
    sides = [prosodyconf.parse_sections(line, source="'x'") for line in lines]
    differences = compare("prosody", *sides)
    assert differences
    assert unknown(differences) == []
