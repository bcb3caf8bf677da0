"""Programs that Docker nodes need on this machine."""

from __future__ import annotations

from pathlib import Path

from labctl.core.privilege import find_program
from labctl.host.needs import EVERY_PROVIDER, Need
from labctl.providers.docker.engine import EngineAnswer, ask_engine

APPARMOR = Path("/sys/module/apparmor/parameters/enabled")


def has_apparmor() -> bool:
    """Whether the kernel enforces AppArmor; then the engine does not start without its tool."""
    return APPARMOR.is_file() and APPARMOR.read_text(encoding="utf-8").startswith("Y")


def has_no_engine() -> bool:
    """Whether no engine answers and none can be started."""
    return find_program("dockerd") is None and ask_engine().answer is EngineAnswer.NONE


# Debian 12 has the client and the engine in one package, Debian 13 in two.
DOCKER = (
    Need("docker", ("docker.io", "docker-cli"), "runs the nodes as containers"),
    Need("dockerd", ("docker.io",), "is the engine of the containers", when=has_no_engine),
    Need("apparmor_parser", ("apparmor",), "is needed by the engine", when=has_apparmor),
    *EVERY_PROVIDER,
)
