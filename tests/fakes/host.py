"""A node that can be provisioned: it keeps what the scripts of `provision/node` would have done.

host = FakeHost.on(nodes, "jms", users={"root", "prosody"})
provision(...)
assert host.files["/etc/prosody/prosody.cfg.lua"].text == "..."
"""

from __future__ import annotations

import io
import tarfile
from base64 import b64decode
from dataclasses import dataclass, field
from hashlib import sha256

from provision.facts import script
from tests.fakes.nodes import FakeNodes, Ran

ACCOUNTS = frozenset({"root", "prosody", "jicofo", "jvb", "jitsi", "www-data", "turnserver"})


@dataclass(frozen=True, slots=True)
class FakeFile:
    """What stands at a path: a file with its text, a folder, or a link with its target."""

    kind: str
    owner: str = "root"
    group: str = "root"
    mode: str = "0644"
    text: str = ""


KINDS = {"file": 0o100000, "dir": 0o040000, "link": 0o120000}


@dataclass(slots=True)
class FakeHost:
    """The state of one node; `calls` are the units' verbs and the commands, in order."""

    files: dict[str, FakeFile] = field(default_factory=dict)
    active: set[str] = field(default_factory=set)
    enabled: set[str] = field(default_factory=set)
    ports: dict[str, str] = field(default_factory=dict)
    """Open port -> unit that holds it."""
    manifest: str = ""
    pending: set[str] = field(default_factory=set)
    accounts: frozenset[str] = ACCOUNTS
    calls: list[str] = field(default_factory=list)

    @classmethod
    def on(cls, nodes: FakeNodes, name: str) -> FakeHost:
        """A fresh node of that name, which answers every script of provisioning."""
        host = cls()
        for part, answer in (
            ("inspect", host.inspect),
            ("place", host.place),
            ("commands", host.commands),
            ("units", host.units),
            ("finish", host.finish),
        ):
            nodes.says(name, answer, to=script(part).text)
        return host

    def inspect(self, ran: Ran) -> dict[str, str]:
        asked = rows(ran.stdin or "")
        here = [path for (kind, path) in asked if kind == "path" and path in self.files]
        units = [name for kind, name in asked if kind == "unit"]
        links = [path for path in here if self.files[path].kind == "link"]
        names = [name for kind, name in asked if kind in ("user", "group")]
        return {
            "stat": "".join(f"{self._stat(path)} {path}\n" for path in here),
            "sha256": "".join(f"{digest(self.files[path])}  {path}\n" for path in here),
            "link": "".join(f"{self.files[path].text}\t{path}\n" for path in links),
            "unit": "\n".join(self._shown(name) for name in units),
            "sysv": "",
            "user": "".join(f"{name}\n" for name in names if name in self.accounts),
            "group": "".join(f"{name}\n" for name in names if name in self.accounts),
            "listen": "".join(f"{port}\t0.0.0.0\t{unit}\t-\n" for port, unit in self.ports.items()),
            "uptime": "100.0\n",
            "pending": "".join(f"{path}\n" for path in sorted(self.pending)),
            "manifest": self.manifest,
            "end": "",
        }

    def place(self, ran: Ran) -> str:
        with tarfile.open(fileobj=io.BytesIO(b64decode(ran.stdin or "")), mode="r:gz") as archive:
            read = {
                member.name: archive.extractfile(member).read().decode()  # type: ignore[union-attr]
                for member in archive.getmembers()
            }
        for kind, *words in rows(read["plan"]):
            match kind, words:
                case "dirty", [path]:
                    self.pending.add(path)
                case (("mkdir" | "dir"), [mode, owner, group, path]):
                    self.files[path] = FakeFile("dir", owner, group, mode)
                case "file", [number, mode, owner, group, path]:
                    self.files[path] = FakeFile("file", owner, group, mode, read[number])
                case "link", [target, path]:
                    self.files[path] = FakeFile("link", text=target)
                case (("remove" | "rmdir"), [path]):
                    self.files.pop(path, None)
                case "enable", [unit]:
                    self.enabled.add(unit)
                case "stop", [unit]:
                    self.calls.append(f"stop {unit}")
                    self.active.discard(unit)
        return ""

    def commands(self, ran: Ran) -> str:
        self.calls += (ran.stdin or "").splitlines()
        return ""

    def units(self, ran: Ran) -> str:
        for kind, *words in rows(ran.stdin or ""):
            match kind, words:
                case (("restart" | "reload" | "start"), [unit]):
                    self.calls.append(f"{kind} {unit}")
                    self.active.add(unit)
                case "port", [port, unit]:
                    self.ports[port] = unit
        return "wait\n"

    def finish(self, ran: Ran) -> str:
        digest, _, text = (ran.stdin or "").partition("\n")
        assert sha256(text.encode()).hexdigest() == digest
        self.manifest, self.pending = text, set()
        return ""

    def _stat(self, path: str) -> str:
        file = self.files[path]
        raw = KINDS[file.kind] | int(file.mode, 8)
        return f"{int(file.mode, 8):o} {file.owner} {file.group} {raw:x}"

    def _shown(self, unit: str) -> str:
        active = unit in self.active
        return (
            f"LoadState=loaded\nActiveState={'active' if active else 'inactive'}\n"
            f"SubState={'running' if active else 'dead'}\n"
            f"UnitFileState={'enabled' if unit in self.enabled else 'disabled'}\n"
            "NeedDaemonReload=no\nActiveEnterTimestampMonotonic=1000000\n"
        )


def rows(text: str) -> list[list[str]]:
    """Lines of tab-separated words."""
    return [line.split("\t") for line in text.splitlines()]


def digest(file: FakeFile) -> str:
    return sha256(file.text.encode()).hexdigest()
