"""The nodes of a lab and how pyinfra reaches them."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyinfra.api import Host, Inventory, State
from pyinfra.api.state import BaseStateCallback

from provision.patience import scaled

CONNECT_TIMEOUT = 8
"""Seconds for each step of a connection."""


def load_nodes(workdir: Path) -> dict[str, str]:
    """Name -> address of every node of the lab."""
    topology = json.loads((workdir / "topology.json").read_text(encoding="utf-8"))
    return {node["name"]: node["address"] for node in topology["nodes"]}


def make_inventory(workdir: Path, nodes: Mapping[str, str]) -> Inventory:
    """The lab's nodes, with the lab's own key and known hosts and nothing of the user's."""
    ssh = workdir / "ssh"
    data: dict[str, Any] = {
        "ssh_user": "vagrant",
        "ssh_key": str(ssh / "id_ed25519"),
        "ssh_known_hosts_file": str(ssh / "known_hosts"),
        "ssh_strict_host_key_checking": "yes",
        "ssh_config_file": "/dev/null",
        "ssh_paramiko_connect_kwargs": {
            "banner_timeout": scaled(CONNECT_TIMEOUT),
            "auth_timeout": scaled(CONNECT_TIMEOUT),
            "channel_timeout": scaled(2 * CONNECT_TIMEOUT),
        },
    }
    hosts = [(name, {"ssh_hostname": address}) for name, address in nodes.items()]
    return Inventory((hosts, data))


class SocketOptions(BaseStateCallback):
    """What paramiko leaves out on its connections.

    Nagle's algorithm off: with the peer's delayed acknowledgement a command takes 45 ms more than
    it has to.  Keep-alive: a node that is gone ends its commands in seconds.
    """

    @staticmethod
    def host_connect(state: State, host: Host) -> None:
        sock = host.connector.client.get_transport().sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 4)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 10_000)
