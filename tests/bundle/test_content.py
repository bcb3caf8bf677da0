"""What Vagrant and people read in a bundle."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from labctl import __version__
from labctl.bundle.content import render_text
from labctl.providers.table import TABLE
from labctl.topology.layout import resolve
from labctl.topology.spec import ProviderName, Role
from tests.bundle.conftest import IMAGES, SPEC

PROVIDERS = sorted(TABLE)
TOPOLOGY = resolve(SPEC).with_images({Role(role): name for role, name in IMAGES.items()})


@pytest.mark.programs
@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_vagrantfile_is_ruby(provider: ProviderName, tmp_path: Path) -> None:
    if shutil.which("ruby") is None:
        pytest.skip("'ruby' is not installed")
    file = tmp_path / "Vagrantfile"
    file.write_text(render_text("Vagrantfile", version=__version__, provider=provider))
    said = subprocess.run(["ruby", "-wc", str(file)], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout, said.stderr) == (0, "Syntax OK\n", "")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_readme_tells_the_secrets_and_what_stays(provider: ProviderName) -> None:
    class Some:
        lab, provider_, stand_ins, created = "demo", provider, (), "2026-01-01T00:00:00+00:00"
        images = dict.fromkeys(IMAGES.values())

    text = render_text(
        "README.md", version=__version__, provider=provider, bundle=Some, topology=TOPOLOGY
    )
    assert "`ssh/key` is the private ssh key of all nodes" in text
    assert "192.168.56.105 meet.lab.internal" in text
    assert "What stays then:\n" in text and "vagrant up" in text
    assert max(map(len, text.splitlines())) <= 130
