"""A signed flat apt repository of our own on loopback, with keys made for the test."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KEY_NAME = "jitsi-key.gpg.key"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def served(folder: Path, *, address: str = "127.0.0.1") -> Iterator[str]:
    """The address of a web server that serves `folder` until the end."""
    server = ThreadingHTTPServer((address, 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://{address}:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def build_deb(
    folder: Path,
    name: str,
    *,
    version: str = "1.0-1",
    architecture: str = "all",
    fields: str = "",
    scripts: dict[str, str] | None = None,
) -> Path:
    """Build a package that holds nothing but its control files."""
    tree = folder / f".tree-{name}-{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n{fields}"
        "Maintainer: Nobody <nobody@example.invalid>\nDescription: test\n of labctl\n"
    )
    for script, text in (scripts or {}).items():
        file = tree / "DEBIAN" / script
        file.write_text(text)
        file.chmod(0o644 if script == "templates" else 0o755)
    path = folder / f"{name}_{version.replace(':', '%3a')}_{architecture}.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", tree, path],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    shutil.rmtree(tree)
    return path


@dataclass(frozen=True, slots=True)
class Signer:
    """A key pair in a GnuPG home of its own.

    The agent's sockets lie there, so with their names its path must be shorter than the 108 bytes
    of an address (unix(7)): a short one right below the test's folder.
    """

    home: Path
    fingerprint: str

    @classmethod
    def make(cls, home: Path, *, expires: str = "0", at: str | None = None) -> Signer:
        home.mkdir(mode=0o700, parents=True)
        gpg = ["gpg", "--batch", "--homedir", str(home), "--passphrase", ""]
        fake = ["--faked-system-time", at] if at else []
        words = ["--quick-generate-key", f"Test {home.name} <t@example.invalid>", "rsa2048"]
        subprocess.run([*gpg, *fake, *words, "sign", expires], check=True, capture_output=True)
        listed = subprocess.run(
            [*gpg, "--list-keys", "--with-colons"], check=True, capture_output=True, text=True
        ).stdout
        line = next(line for line in listed.splitlines() if line.startswith("fpr:"))
        return cls(home, line.split(":")[9])

    def public(self) -> bytes:
        return self._gpg("--armor", "--export", self.fingerprint)

    def clear_sign(self, data: bytes, *, at: str | None = None) -> bytes:
        fake = ["--faked-system-time", at] if at else []
        return self._gpg(*fake, "--digest-algo", "SHA512", "--clear-sign", stdin=data)

    def stop(self) -> None:
        """End the agent that GnuPG started for this home."""
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], check=False)

    def _gpg(self, *words: str, stdin: bytes | None = None) -> bytes:
        command = ["gpg", "--batch", "--homedir", str(self.home), "--pinentry-mode", "loopback"]
        done = subprocess.run(
            [*command, "--passphrase", "", *words], check=True, capture_output=True, input=stdin
        )
        return done.stdout


def publish(
    root: Path, debs: list[Path], signer: Signer, *, channel: str = "stable", at: str | None = None
) -> None:
    """Write `root` as a repository of Jitsi's shape: flat suites, the key beside them."""
    suite = root / channel
    suite.mkdir(parents=True, exist_ok=True)
    stanzas = []
    for deb in debs:
        shutil.copyfile(deb, suite / deb.name)
        control = subprocess.run(
            ["dpkg-deb", "--field", deb], check=True, capture_output=True, text=True
        ).stdout
        digest = hashlib.sha256(deb.read_bytes()).hexdigest()
        stanzas.append(
            f"{control.rstrip()}\nFilename: {channel}/{deb.name}\n"
            f"Size: {deb.stat().st_size}\nSHA256: {digest}\n"
        )
    index = "\n".join(stanzas).encode()
    (suite / "Packages").write_bytes(index)
    release = (
        f"Origin: jitsi.org\nLabel: Jitsi test\nSuite: {channel}\nCodename: {channel}\n"
        "Date: Thu, 01 Jan 2026 00:00:00 UTC\n"
        f"SHA256:\n {hashlib.sha256(index).hexdigest()} {len(index)} Packages\n"
    )
    (suite / "InRelease").write_bytes(signer.clear_sign(release.encode(), at=at))
    (root / KEY_NAME).write_bytes(signer.public())
