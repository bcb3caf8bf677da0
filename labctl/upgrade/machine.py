"""A machine with bare Debian and nothing of labctl's, on which packages configure themselves.

It is a lab of one node that is never provisioned.  What people with a server have and a lab's node
has not is given to it: answers to debconf's questions, names of hosts, and an address that is not
private, without which a bridge is not healthy (docs/facts/observed.md, 2).  No packet is sent there
from outside.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.crowd import Target
from labctl.host.network import prove_local
from labctl.images.bakeinput import render_preseed
from labctl.images.make import ensure_base
from labctl.lab.machines import ensure_provider
from labctl.lab.remove import tear_down
from labctl.node.reach import reach
from labctl.node.script import Command, ShellScript
from labctl.providers.table import provider_of
from labctl.providers.vagrant import VagrantMachines
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.lock import locked
from labctl.topology.model import Node
from labctl.topology.spec import Role, Spec
from labctl.topology.workdir import Workdir

PUBLIC = "198.51.100.1"
"""An address that documentation may use and nobody has (RFC 5737)."""

# The links are those of packer/scripts/install.sh: Debian 13 has no such modules for its Lua.
_PREPARE = """
set -eu
mkdir -p /usr/local/share/lua/5.4
ln -sf /usr/share/lua/5.3/inspect.lua /usr/share/lua/5.2/basexx.lua /usr/local/share/lua/5.4/
device=$(ip -o -4 address show to {address} | awk '{{ print $2; exit }}')
ip address replace {public}/32 dev "$device"
{hosts}
debconf-set-selections
"""
_HOST = "grep -qw '{name}' /etc/hosts || echo '{address} {name}' >> /etc/hosts\n"
CERTIFICATE = "/etc/jitsi/meet/{domain}.crt"


@dataclass(frozen=True, slots=True)
class Machine:
    """A running machine: its lab, and the answers that its packages get."""

    lab: Lab
    answers: str

    @property
    def node(self) -> Node:
        return self.lab.topology.jms

    @property
    def name(self) -> str:
        return self.node.name

    def answer(self) -> None:
        """Give debconf its answers, and the machine what it needs.  Errors: NodeError."""
        hosts = "".join(
            _HOST.format(name=name, address=address)
            for name, address in self.lab.topology.hosts.items()
        )
        text = _PREPARE.format(address=self.node.address, public=PUBLIC, hosts=hosts)
        # Passwords go through standard input.
        reach(self.lab).run(self.name, ShellScript(text), sudo=True, stdin=self.answers)

    def target(self) -> Target:
        """The way in for people, who trust the certificate that the packages have made.

        Errors: NodeError if there is none.
        """
        domain = self.lab.topology.domain
        show = Command(("cat", CERTIFICATE.format(domain=domain)))
        file = self.lab.folder.path / "packaged.crt"
        file.write_text(reach(self.lab).run(self.name, show, sudo=True).output, encoding="utf-8")
        network = self.lab.topology.network

        def prove(address: IPv4Address) -> None:
            prove_local([address], network=network)

        return Target(
            self.node.address,
            443,
            domain,
            file,
            prove,
            self.lab.patience,
            within=network,
        )


def render_answers(domain: str) -> str:
    """Debconf's answers for every package of Jitsi's; passwords are made up."""
    application = (
        "jitsi-meet-tokens jitsi-meet-tokens/appid string labctl\n"
        f"jitsi-meet-tokens jitsi-meet-tokens/appsecret password {secrets.token_hex(16)}\n"
    )
    turn = f"jitsi-meet-prosody jitsi-meet-prosody/turn-secret string {secrets.token_hex(12)}\n"
    return render_preseed(domain) + application + turn


def machine_spec(spec: Spec, *, lab: str) -> Spec:
    """A lab of the JMS alone, with the domain and the network of `spec`."""
    return replace(spec, lab=lab, jvbs=0, visitors=0, relays=False, turn=False)


def _start(lab: Lab, *, progress: Progress) -> None:
    """Start the machine.  Vagrant trips over other labs' networks that vanish while it looks at
    all of them, so it is asked a second time."""
    machines = VagrantMachines(lab)
    try:
        machines.up(progress=progress)
    except LabError as error:
        progress("machines", f"trying again: {error.message.partition(chr(10))[0]}")
        machines.up(progress=progress)


@contextmanager
def bare_machine(spec: Spec, *, progress: Progress) -> Iterator[Machine]:
    """A fresh machine, removed afterwards.  `spec` is one of `machine_spec`.  Errors: LabError."""
    workdir = Workdir.of(spec.lab)
    with locked(workdir, what="gate"):
        tear_down(workdir, progress=progress, forget=True)
        try:
            ensure_provider(spec.provider, progress=progress)
            store = provider_of(spec.provider).images
            base = ensure_base(spec.packages, store=store, progress=progress, release=spec.debian)
            lab = Lab(workdir, resolve(spec).with_images(dict.fromkeys(Role, base)))
            workdir.path.mkdir(parents=True, exist_ok=True)
            workdir.path.chmod(0o700)
            workdir.save_topology(lab.topology)
            _start(lab, progress=progress)
            machine = Machine(Lab.load(workdir), render_answers(lab.topology.domain))
            machine.answer()
            yield machine
        finally:
            tear_down(workdir, progress=progress, forget=True)
