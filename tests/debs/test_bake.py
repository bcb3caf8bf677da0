"""Images of small packages with upstream's names, really baked: order, answers, secrets, failures.

The role of a bridge needs nothing of Debian's, so most tests bake that one.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.core.errors import LabError, PackageError
from labctl.images.bakeinput import BakeInput
from labctl.images.debian import load_mirror, load_release
from labctl.images.debs import host_architecture
from labctl.images.packages import PackageSet, resolve
from labctl.providers.docker import bake as containerbake
from labctl.providers.docker.images import DOCKER_IMAGES
from labctl.topology.spec import Packages, PackageSource, Role
from tests.debs.originals import NOTES, build_original, build_originals
from tests.repository import Signer, publish, served

needs = [name for name in ("docker", "packer", "dpkg-deb", "gpg") if shutil.which(name) is None]
pytestmark = [
    # Makes the base where it is missing.
    pytest.mark.usefixtures("jms_image"),
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.skipif(bool(needs), reason=f"needs {', '.join(needs)}"),
]

SILENT = "http://127.0.0.1:9"
VERSION = "1.0-1200-1"


def docker(*words: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        pytest.fail(f"docker {' '.join(words)}: {done.stderr}")
    return done.stdout + done.stderr


@pytest.fixture
def candidates(tmp_path: Path) -> Path:
    folder = tmp_path / "candidates"
    folder.mkdir()
    build_originals(folder)
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def set_of(folder: Path, cache: Path) -> PackageSet:
    packages = Packages(PackageSource.DEBS, path=str(folder), repository=SILENT)
    return resolve(packages, cache=cache)


def base_of(packages: PackageSet) -> str:
    base = DOCKER_IMAGES.plan(
        [Role.JVB], packages, architecture=host_architecture(), release="13"
    ).base
    if not docker("images", "--quiet", base).strip():
        pytest.skip(f"the base image '{base}' is not there: 'labctl build' makes it")
    return base


def bake(role: Role, packages: PackageSet, tmp_path: Path) -> containerbake.Baked:
    scratch = tmp_path / f"scratch-{role}"
    scratch.mkdir()
    job = containerbake.ContainerBake(
        BakeInput(role, packages, load_mirror(), load_release()),
        base=base_of(packages),
        container=f"j-test-bake-{role}",
        log=tmp_path / f"{role}.log",
    )
    return containerbake.bake(job, scratch=scratch)


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    yield
    docker("rm", "--force", "--volumes", f"{containerbake.KEPT_PREFIX}{Role.JVB}", check=False)


def read(image: str, command: str) -> str:
    return docker("run", "--rm", "--network", "none", image, "/bin/sh", "-c", command)


@pytest.mark.lab
def test_all_of_them_in_one_call_answered_before_and_emptied_after(
    candidates: Path, cache: Path, tmp_path: Path
) -> None:
    """The role with Prosody: both packages whose scripts need each other."""
    baked = bake(Role.VISITORS, set_of(candidates, cache), tmp_path)
    try:
        assert baked.versions["jitsi-meet-prosody"] == VERSION
        notes = read(baked.image, f"cat {NOTES}/notes")
        assert "jitsi-meet-prosody for image.labctl.invalid" in notes
        assert "cert-choice for prosody: Generate a new self-signed certificate" in notes
        assert "cert-choice for the web: Generate a new self-signed certificate" in notes
        assert "was not answered" not in notes
        assert "configured before" not in notes
        assert "was started" not in notes
        kept = read(baked.image, "cat /var/lib/labctl/packaged/etc/prosody/conf.avail/*.cfg.lua")
        assert 'turn_secret = "BLANKED-BY-LABCTL"' in kept
        left = read(
            baked.image,
            "find / -xdev \\( -name 'image.labctl.invalid*' -o -name 'auth.image*' \\)"
            " -not -path '/var/lib/labctl/*'; find /var/lib/prosody -type f;"
            " grep -rl --exclude-dir=dpkg generated- /etc /var/lib 2>/dev/null; true",
        )
        assert left.split() == []
        answers = read(baked.image, "cat /var/cache/debconf/passwords.dat")
        assert "Name: jicofo/jicofo-authpassword" in answers
        assert not [line for line in answers.splitlines() if re.match("Value: .", line)]
    finally:
        docker("rmi", "--force", baked.image)


def test_generated_secrets_of_a_bridge_do_not_reach_the_image(
    candidates: Path, cache: Path, tmp_path: Path
) -> None:
    baked = bake(Role.JVB, set_of(candidates, cache), tmp_path)
    try:
        kept = read(baked.image, "cat /var/lib/labctl/packaged/etc/jitsi/videobridge/jvb.conf")
        assert 'PASSWORD = "BLANKED-BY-LABCTL"' in kept
        assert "HOSTNAME = localhost" in kept
        assert read(baked.image, "ls /etc/jitsi/videobridge").split() == ["config"]
    finally:
        docker("rmi", "--force", baked.image)


def test_prosodys_plugins_alone_fail_as_upstreams_do(
    candidates: Path, cache: Path, tmp_path: Path
) -> None:
    """Why both packages go into one call: alone, the question's template is not registered."""
    base = base_of(set_of(candidates, cache))
    mounted = f"{candidates}:/candidates:ro"
    # Prosody is not there either; the script must fail before it would matter.
    script = (
        "export DEBIAN_FRONTEND=noninteractive;"
        " dpkg --force-depends -i /candidates/jitsi-meet-prosody_*.deb"
    )
    said = docker(
        *("run", "--rm", "--network", "none", "-v", mounted, base, "/bin/sh", "-c", script),
        check=False,
    )
    assert "post-installation script subprocess returned error exit status 10" in said


def test_failed_script_is_named_and_its_container_kept(
    candidates: Path, cache: Path, tmp_path: Path
) -> None:
    (candidates / f"jitsi-videobridge2_{VERSION}_all.deb").unlink()
    build_original(
        candidates, "jitsi-videobridge2", fails="echo 'no such codec: theora' >&2; exit 42"
    )
    with pytest.raises(PackageError) as caught:
        bake(Role.JVB, set_of(candidates, cache), tmp_path)
    error = caught.value
    assert "script of 'jitsi-videobridge2' ended with exit status 42" in error.message
    assert "no such codec: theora" in error.message
    assert error.log == tmp_path / "jvb.log"
    kept = f"{containerbake.KEPT_PREFIX}{Role.JVB}"
    assert f"docker exec -it {kept} bash" in (error.hint or "")
    status = docker(
        "exec", kept, "dpkg-query", "-W", "-f", "${db:Status-Status}", "jitsi-videobridge2"
    )
    assert status == "half-configured"
    assert not docker("ps", "-aq", "--filter", "name=j-test-bake").strip()


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    found = Signer.make(tmp_path_factory.mktemp("gnupg") / "own")
    yield found
    found.stop()


@pytest.fixture
def web(tmp_path: Path, signer: Signer) -> Path:
    scratch, root = tmp_path / "built", tmp_path / "web"
    scratch.mkdir()
    older = [*build_originals(scratch), *build_originals(scratch, version="1.0-1190-1")]
    publish(root, older, signer)
    return root


def test_repository_of_our_own_in_a_pinned_version(
    web: Path, signer: Signer, cache: Path, tmp_path: Path
) -> None:
    with served(web) as uri:
        newest = Packages(PackageSource.JITSI, repository=uri, key=signer.fingerprint)
        pinned = replace(newest, versions={"jitsi-videobridge2": "1.0-1190-1"})
        baked = bake(Role.JVB, resolve(pinned, cache=cache), tmp_path)
    try:
        assert baked.versions["jitsi-videobridge2"] == "1.0-1190-1"
        left = read(baked.image, "ls /etc/apt/sources.list.d /etc/apt/preferences.d")
        assert "labctl-bake" not in left
        assert not docker("ps", "-aq", "--filter", "name=j-test-bake").strip()
    finally:
        docker("rmi", "--force", baked.image)


def test_package_that_arrives_cut_off(
    web: Path, signer: Signer, cache: Path, tmp_path: Path
) -> None:
    with served(web) as uri:
        packages = Packages(PackageSource.JITSI, repository=uri, key=signer.fingerprint)
        found = resolve(packages, cache=cache)
        deb = web / "stable" / f"jitsi-videobridge2_{VERSION}_all.deb"
        deb.write_bytes(deb.read_bytes()[:-200])
        with pytest.raises(LabError, match="a downloaded package is damaged or cut off") as caught:
            bake(Role.JVB, found, tmp_path)
    assert not isinstance(caught.value, PackageError)
    assert not docker("ps", "-aq", "--filter", "name=j-test-bake").strip()
