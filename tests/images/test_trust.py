"""`labctl-trust` of the images does what `update-ca-certificates` does, for one authority."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from labctl.images.packer import TEMPLATES
from labctl.render.ca import ensure_authority
from labctl.topology.workdir import Workdir

pytestmark = pytest.mark.programs


@dataclass(frozen=True, slots=True)
class TrustHost:
    """A folder that takes the place of a machine's root."""

    root: Path

    @property
    def certs(self) -> Path:
        return self.root / "etc/ssl/certs"

    @property
    def authority(self) -> Path:
        return self.root / "usr/local/share/ca-certificates/labctl-lab-ca.crt"

    def trust(self) -> str:
        """Run the script of the image here; what its hooks and other programs were told."""
        text = (TEMPLATES / "scripts/base.sh").read_text(encoding="utf-8")
        found = re.search(r"<<'SCRIPT'\n(.*?)\nSCRIPT\n", text, re.DOTALL)
        assert found
        script = found[1].replace("/etc/", f"{self.root}/etc/")
        path = f"{self.root}/bin:{os.environ['PATH']}"
        words = ["sh", "-c", script, "labctl-trust", str(self.authority)]
        done = subprocess.run(
            words, env={"PATH": path}, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def host(tmp_path: Path) -> TrustHost:
    """A machine with one authority of Debian's, a hook, and a new authority of a lab."""
    host = TrustHost(tmp_path / "root")
    hooks = host.root / "etc/ca-certificates/update.d"
    for folder in (host.certs, host.authority.parent, hooks, host.root / "bin"):
        folder.mkdir(parents=True)
    (host.certs / "ca-certificates.crt").write_text("DEBIAN\n")
    for program, said in (
        (hooks / "java", "cat"),
        (host.root / "bin/update-ca-certificates", 'echo all "$@"'),
    ):
        program.write_text(f"#!/bin/sh\n{said}\n")
        program.chmod(0o755)
    made = ensure_authority(Workdir(tmp_path / "demo"), domain="meet.example")
    host.authority.write_text(made.certificate)
    return host


def test_one_authority_more_is_linked_and_bundled_and_told(host: TrustHost) -> None:
    link = host.certs / "labctl-lab-ca.pem"
    assert host.trust() == f"+{link}\n"
    assert (host.certs / "ca-certificates.crt").read_text() == (
        f"DEBIAN\n{host.authority.read_text()}"
    )
    words = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(host.authority)]
    name = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    assert (host.certs / f"{name}.0").readlink() == Path(link.name)
    assert link.readlink() == host.authority


def test_a_second_time_everything_is_linked_again(host: TrustHost) -> None:
    host.trust()
    assert host.trust() == "all --fresh\n"
