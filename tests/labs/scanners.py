"""sslyze and ssh-audit, which the field trusts, in an environment of their own beside labctl's."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOCKED = ROOT / "requirements-scan.lock"
FOLDER = ROOT / ".venv-scan"
DONE = FOLDER / "installed.lock"
SECONDS = 300.0


def ensure_scanners() -> Path:
    """The folder with the scanners' programs; installed, with hashes, if they are not there."""
    programs = FOLDER / "bin"
    if not DONE.exists() or DONE.read_bytes() != LOCKED.read_bytes():
        _run([sys.executable, "-m", "venv", "--clear", str(FOLDER)])
        install = ("-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(LOCKED))
        _run([str(programs / "python"), *install])
        DONE.write_bytes(LOCKED.read_bytes())
    return programs


def scan_tls(targets: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """What is wrong with the TLS of each target, by its `what`; see `tests/labs/tlsscan.py`."""
    program = Path(__file__).with_name("tlsscan.py")
    said = _run([str(ensure_scanners() / "python"), str(program)], stdin=json.dumps(targets))
    found: dict[str, dict[str, str]] = json.loads(said)
    return found


def scan_ssh(address: str) -> dict[str, list[str]]:
    """The algorithms of an ssh server that ssh-audit fails, with its reasons."""
    words = ["-jj", "--skip-rate-test", address]
    # Its exit status only says how bad the worst finding was.
    done = subprocess.run(
        [ensure_scanners() / "ssh-audit", *words],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )
    report = json.loads(done.stdout)
    known = [*report["kex"], *report["key"], *report["enc"], *report["mac"]]
    assert len(known) > 4, done.stdout
    found = {one["algorithm"]: one["notes"].get("fail", []) for one in known}
    found["cves"] = [str(one) for one in report["cves"]]
    return {name: why for name, why in found.items() if why}


@contextmanager
def forwarded(config: Path, node: str, address: str, port: int) -> Iterator[int]:
    """A port of this machine that leads to a port which only `node` may reach."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        local = free.getsockname()[1]
    way = f"127.0.0.1:{local}:{address}:{port}"
    words = ["ssh", "-F", str(config), "-o", "ExitOnForwardFailure=yes", "-o", "ControlPath=none"]
    tunnel = subprocess.Popen([*words, "-N", "-L", way, node], stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", local)) == 0:
                    break
            assert tunnel.poll() is None and time.monotonic() < deadline, f"no way to {way}"
            time.sleep(0.1)
        yield local
    finally:
        tunnel.terminate()
        tunnel.wait(timeout=20)


def _run(words: Sequence[str], *, stdin: str = "") -> str:
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout
