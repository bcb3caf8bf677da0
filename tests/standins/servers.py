"""Two machines with the real Prosody and our plugins: a main server and two vnodes.

The image is labctl's own of role jms, baked where it is missing; LABCTL_STANDIN_IMAGE names
another one, which needs systemd, Prosody 13, its Lua libraries, nginx and openssl.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import time
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from labctl.render import Materials, render_node
from labctl.render.ca import ensure_authority
from labctl.render.nodes import certificate_names
from labctl.render.secrets import Secrets, ensure_secrets
from labctl.topology.layout import resolve
from labctl.topology.model import Topology
from labctl.topology.spec import Role, Spec
from labctl.topology.workdir import Workdir

ROOT = Path(__file__).resolve().parents[2]
NETWORK = os.environ.get("LABCTL_STANDIN_NETWORK", "10.77.22.0/24")
NAME = "labctl-standins"
SYSTEMD = [
    "--cap-add",
    "SYS_ADMIN",
    "--cap-add",
    "NET_ADMIN",
    "--security-opt",
    "seccomp=unconfined",
    "--cgroupns=host",
    "-v",
    "/sys/fs/cgroup:/sys/fs/cgroup:rw",
    "--tmpfs",
    "/run",
    "--tmpfs",
    "/tmp",
    "-e",
    "container=docker",
]
INSTALL = """
set -e
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
mkdir -p /usr/local/share/lua/5.4
ln -sf /usr/share/lua/5.3/inspect.lua /usr/share/lua/5.2/basexx.lua /usr/local/share/lua/5.4/
debconf-set-selections << 'END'
x jitsi-videobridge/jvb-hostname string bake.invalid
x jitsi-meet/cert-choice select Generate a new self-signed certificate
END
# Not those that need what this image has not, and that nothing here asks.
dpkg -i $(ls /debs/*.deb | grep -v -e /jitsi-meet_ -e /jitsi-meet-turnserver -e /jitsi-meet-tokens)
"""


@dataclass(frozen=True)
class Servers:
    """The running machines; `docker` runs a command of the engine's client."""

    topology: Topology
    secrets: Secrets
    ca: Path

    def sh(self, node: str, script: str, *, check: bool = True) -> str:
        done = subprocess.run(
            ["docker", "exec", "-i", f"{NAME}-{node}", "bash", "-c", script],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise RuntimeError(f"{node}: {script}\n{done.stdout}{done.stderr}")
        return done.stdout


def docker(*words: str, data: bytes | None = None) -> str:
    done = subprocess.run(["docker", *words], input=data, capture_output=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"docker {' '.join(words)}: {done.stderr.decode()}")
    return done.stdout.decode()


def image() -> str:
    """The reference of the image that both machines run."""
    if named := os.environ.get("LABCTL_STANDIN_IMAGE"):
        return named
    done = subprocess.run(
        [ROOT / "bin" / "labctl", "build", "--packages", "stand-ins", "--json"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    reference: str = json.loads(done.stdout)["images"]["jms"]
    return reference


def remove() -> None:
    for node in ("jms", "visitors1"):
        subprocess.run(["docker", "rm", "-f", f"{NAME}-{node}"], capture_output=True, timeout=60)
    subprocess.run(["docker", "network", "rm", f"{NAME}-net"], capture_output=True, timeout=60)


def start(image: str, scratch: Path) -> Servers:
    """Both machines with packages installed, trees placed and services running."""
    remove()
    subprocess.run([ROOT / "standins/build", scratch / "debs"], check=True, timeout=60,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    topology = resolve(Spec(lab="standins", network=IPv4Network(NETWORK), jvbs=0, visitors=2))
    workdir = Workdir(scratch / "lab")
    secrets = ensure_secrets(workdir, vnodes=[vnode.name for vnode in topology.vnodes])
    authority = ensure_authority(workdir, domain=topology.domain)
    names = certificate_names(topology)
    certificates = {name: authority.issue(name, names=hosts) for name, hosts in names.items()}
    servers = Servers(topology, secrets, workdir.ca / "ca.crt")
    docker("network", "create", "--subnet", NETWORK, f"{NAME}-net")
    materials = Materials(secrets, authority.certificate, certificates, hosts_file=False)
    for node in topology.nodes:
        if node.role is Role.JVB:
            continue
        docker(
            "run", "-d", "--name", f"{NAME}-{node.name}", "--hostname", node.name,
            "--network", f"{NAME}-net", "--ip", str(node.address), *SYSTEMD, image,
            "/lib/systemd/systemd",
        )  # fmt: skip
        debs = [path for path in (scratch / "debs").iterdir() if path.name.startswith("jitsi-meet")]
        place(node.name, {f"debs/{path.name}": (path.read_bytes(), 0o644) for path in debs})
        wait_for(servers, node.name, "systemctl list-units >/dev/null")
        servers.sh(node.name, INSTALL)
        tree = render_node(topology, node, materials)
        files = {
            file.path.lstrip("/"): (file.text.encode(), file.mode)
            for file in tree.files
            if "nftables" not in file.path and "/jitsi/" not in file.path.replace("/jitsi/meet", "")
        }
        place(node.name, files)
        servers.sh(node.name, "rm -f /etc/nginx/sites-enabled/*")
        for link in tree.links:
            servers.sh(node.name, f"ln -sf {link.target} {link.path}")
        owners = [(file.path, file.owner, file.group) for file in tree.files]
        owners += [(folder.path, folder.owner, folder.group) for folder in tree.folders]
        servers.sh(
            node.name,
            "update-ca-certificates >/dev/null 2>&1; systemctl daemon-reload; "
            + "; ".join(f"[ ! -e {path} ] || chown {owner}:{group} {path}"
                        for path, owner, group in owners
                        if group in ("root", "prosody")),
        )  # fmt: skip
    servers.sh("jms", "systemctl restart prosody nginx")
    servers.sh("visitors1", "systemctl restart prosody-v@1 prosody-v@2")
    wait_for(servers, "jms", "ss -ltn | grep -q ':5280 ' && ss -ltn | grep -q ':443 '")
    wait_for(servers, "visitors1", "ss -ltn | grep -q ':52802 ' && ss -ltn | grep -q ':52801 '")
    return servers


def place(node: str, files: dict[str, tuple[bytes, int]]) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, (content, mode) in files.items():
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(content), mode
            archive.addfile(info, io.BytesIO(content))
    docker("cp", "-", f"{NAME}-{node}:/", data=buffer.getvalue())


def wait_for(servers: Servers, node: str, script: str, *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            servers.sh(node, script)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def describe(servers: Servers) -> str:
    """For a failed test: what the servers had to say."""
    errors = servers.sh("jms", "cat /var/log/prosody/prosody.err", check=False)
    return json.dumps({"jms": errors}, indent=1)
