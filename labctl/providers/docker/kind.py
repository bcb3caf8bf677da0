"""What answers to `docker`: the engine of this machine, or something that cannot run a lab.

A lab's nodes are reached at their own addresses, through a bridge of this machine, and their
systemd mounts control groups.  An engine in a virtual machine, on another machine, without root, or
podman cannot give that.  So it is named before anything is baked.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
from collections.abc import Iterable, Mapping
from enum import StrEnum
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, assert_never
from urllib.parse import urlsplit

from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.host.network import read_interfaces

PODMAN_LICENSE = "Apache-2.0"
"""`ProductLicense` of podman 4.3.1 where it answers in Docker's format; Docker's is another."""


class EngineKind(StrEnum):
    """Which engine answers."""

    DOCKER = "Docker"
    PODMAN = "podman"
    ROOTLESS = "rootless Docker"
    DESKTOP = "Docker Desktop"


def kind_of(info: Mapping[str, Any]) -> EngineKind:
    """The kind of engine, from `docker info --format '{{json .}}'`.

    The command may be podman's own (package podman-docker), whose answer has another form.
    """
    if "ociRuntime" in info.get("host", {}) or info.get("ProductLicense") == PODMAN_LICENSE:
        return EngineKind.PODMAN
    if "name=rootless" in (info.get("SecurityOptions") or []):
        return EngineKind.ROOTLESS
    if info.get("OperatingSystem") == "Docker Desktop":
        return EngineKind.DESKTOP
    return EngineKind.DOCKER


def find_endpoint(environ: Mapping[str, str] = os.environ) -> str:
    """The engine's address as the client takes it; empty for the usual socket.

    In this order: DOCKER_HOST, DOCKER_CONTEXT, the current context of the client's configuration.
    """
    if address := environ.get("DOCKER_HOST"):
        return address
    folder = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/")) / ".docker")
    name = environ.get("DOCKER_CONTEXT") or _load(folder / "config.json").get("currentContext")
    if not name or name == "default":
        return ""
    for path in sorted(folder.glob("contexts/meta/*/meta.json")):
        context = _load(path)
        if context.get("Name") == name:
            return str(context.get("Endpoints", {}).get("docker", {}).get("Host", ""))
    return ""


def _load(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def is_here(endpoint: str, *, own: Iterable[IPv4Address]) -> bool:
    """Whether an engine's address leads to this machine, or to its network namespace.

    `own` are this machine's addresses.  Docker in Docker that shares this network namespace, as in
    GitLab's runners, listens on loopback.
    """
    parts = urlsplit(endpoint)
    if parts.scheme in ("", "unix", "fd"):
        return True
    if parts.scheme not in ("tcp", "http", "https") or not parts.hostname:
        return False
    found = _addresses(parts.hostname)
    mine = set(own)
    return bool(found) and all(one.is_loopback or one in mine for one in found)


def _addresses(name: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        return [ipaddress.ip_address(name)]
    except ValueError:
        pass
    try:
        answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [ipaddress.ip_address(answer[4][0]) for answer in answers]


def refuse_kind(kind: EngineKind, endpoint: str) -> LabError | None:
    """Why no lab can run on this engine; None if one can."""
    if endpoint and not is_here(endpoint, own=_own_addresses()):
        return LabError(
            f"The Docker engine at '{endpoint}' is not on this machine, and the nodes of a lab are"
            " reached through a bridge of the machine that runs labctl.",
            hint="Run labctl on that machine, or choose this machine's engine:"
            " unset DOCKER_HOST DOCKER_CONTEXT; docker context use default",
            finding=Finding.ENGINE_ELSEWHERE,
        )
    match kind:
        case EngineKind.DOCKER:
            return None
        case EngineKind.PODMAN:
            return LabError(
                "What answers to 'docker' here is podman, and labctl's labs need Docker's engine.",
                hint="To replace it, as root: apt-get remove podman-docker &&"
                " apt-get install docker.io; or use '--provider libvirt'.",
                finding=Finding.ENGINE_PODMAN,
            )
        case EngineKind.ROOTLESS:
            return LabError(
                "The Docker engine here is rootless: this machine cannot reach the addresses of its"
                " containers.",
                hint="Use the system's engine: docker context use default (and unset DOCKER_HOST);"
                " if there is none, as root: apt-get install docker.io; or '--provider libvirt'.",
                finding=Finding.ENGINE_ROOTLESS,
            )
        case EngineKind.DESKTOP:
            return LabError(
                "The Docker engine here is Docker Desktop: its containers are in a virtual machine"
                " whose network this machine cannot reach.",
                hint="On Linux, install the system's engine (apt-get install docker.io), then:"
                " docker context use default. On Windows or macOS, use '--provider virtualbox'.",
                finding=Finding.ENGINE_DESKTOP,
            )
        case _:
            assert_never(kind)


def _own_addresses() -> list[IPv4Address]:
    return [address.ip for interface in read_interfaces() for address in interface.addresses]
