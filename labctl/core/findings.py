"""What `labctl doctor` can find wrong, each under an id that never changes its meaning.

docs/troubleshooting.md has a section for every id, and programs read them in `--json`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

PAGE = "docs/troubleshooting.md"


class Finding(StrEnum):
    """The id of something that is wrong with a machine or a lab; `why` says why it matters."""

    why: str

    def __new__(cls, value: str, why: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.why = why
        return member

    @property
    def page(self) -> str:
        """Where the documentation explains it."""
        return f"{PAGE}#{self.value}"

    # This machine: programs, user, folders.
    PROGRAM_MISSING = "program-missing", "Labs of this provider cannot be made without it."
    PROGRAM_BROKEN = "program-broken", "It is there, and does not even tell its version."
    USER_UNKNOWN = "user-unknown", "ssh reaches no node for a user without an entry."
    HOME_NOEXEC = "home-noexec", "Packer and Vagrant start plugins from the home folder."
    FOLDER_UNWRITABLE = "folder-unwritable", "Programs keep temporary files there."
    DISK_FULL = "disk-full", "Images, logs and temporary files need room."
    FILES_FEW = "files-few", "A crowd opens a file for each participant."
    MEMORY_LOW = "memory-low", "The kernel ends programs of a lab that needs more."
    INOTIFY_FEW = "inotify-few", "The last containers of a large lab would end at once."
    CPU_SINGLE = "cpu-single", "Deadlines are written for machines with two processors."

    # Networks and downloads.
    NETWORK_TAKEN = "network-taken", "Packets for nodes would go to somebody else."
    NETWORK_DIVERTED = "network-diverted", "Packets for nodes would leave this machine."
    NETWORK_UNUSABLE = "network-unusable", "A lab's nodes have fixed places in its network."
    MIRROR_SILENT = "mirror-silent", "Programs and images are made from Debian's packages."
    MIRROR_MISSING = "mirror-missing", "Images are made from this machine's Debian mirror."
    JITSI_SILENT = "jitsi-silent", "With 'packages = auto', a lab is then made of stand-ins."

    # The Docker engine.
    ENGINE_STOPPED = "engine-stopped", "The engine runs the nodes."
    ENGINE_DENIED = "engine-denied", "labctl makes nodes as the user who runs it."
    ENGINE_SILENT = "engine-silent", "The engine runs the nodes."
    ENGINE_PODMAN = "engine-podman", "podman makes other networks than Docker's engine."
    ENGINE_ROOTLESS = "engine-rootless", "This machine does not reach a rootless engine's nodes."
    ENGINE_DESKTOP = "engine-desktop", "This machine does not reach nodes inside of its VM."
    ENGINE_ELSEWHERE = "engine-elsewhere", "Nodes are reached through a bridge of this machine."
    ENGINE_FILES = "engine-files", "Nodes get their keys from files of the project's folder."
    HOST_SILENT = "host-silent", "A machine of 'hosts' runs a part of the lab's nodes."
    SWARM_MISSING = "swarm-missing", "A swarm's network joins the nodes of several machines."
    STORAGE_VFS = "storage-vfs", "It copies a whole image for each layer and node."
    CGROUPS_MISSING = "cgroups-missing", "A node's systemd does not start without a hierarchy."
    FIREWALL_FLUSHED = "firewall-flushed", "The engine needs its rules to make networks and ports."
    FIREWALL_LATE = "firewall-late", "It drops what containers send."

    # Other providers.
    LIBVIRT_STOPPED = "libvirt-stopped", "libvirt's daemon runs the machines."
    LIBVIRT_DENIED = "libvirt-denied", "labctl makes machines as the user who runs it."
    KVM_UNUSABLE = "kvm-unusable", "Without it, machines are emulated, about ten times slower."
    VIRTUALBOX_UNUSABLE = "virtualbox-unusable", "VirtualBox runs the machines."
    VIRTUALBOX_CLAIMS = "virtualbox-claims", "It says which host-only interface a lab may use."

    # What was tried.
    PROOF_OPEN = "proof-open", "Only a node that was started shows whether nodes start."
    NODE_BROKEN = "node-broken", "A node is a container whose first process is systemd."
    UNIT_REFUSED = "unit-refused", "Nodes run units with ProtectSystem and PrivateTmp."
    NETWORK_REFUSED = "network-refused", "A lab has a network of its own."
    NODE_UNREACHED = "node-unreached", "labctl reaches nodes at their own addresses."

    # A lab that runs.
    NODE_SILENT = "node-silent", "Nothing on the node can be asked or changed."
    NO_ENTROPY = "no-entropy", "Nothing on the node can make a key."
    CLOCK_OFF = "clock-off", "Certificates and tokens are not valid, and logs cannot be compared."
    UNIT_STOPPED = "unit-stopped", "What the unit does is missing in the lab."
    PORT_CLOSED = "port-closed", "Nobody can talk to the program."
    MODULE_FAILED = "module-failed", "What the module does is missing, and nothing else says so."
    VNODE_UNLINKED = "vnode-unlinked", "Jicofo sends no visitor there."
    FILE_CHANGED = "file-changed", "The lab is not what its lab.conf says."
    JICOFO_LOST = "jicofo-lost", "Nothing that Jicofo writes reaches a bridge: there are no calls."
    WRONG_BREWERY = "wrong-brewery", "Jicofo does not know the bridge and gives it no calls."
    BRIDGE_PASSWORD = "bridge-password", "The bridge cannot log in, so it gets no calls."
    CERTIFICATE_UNTRUSTED = "certificate-untrusted", "The bridge refuses to talk to Prosody."
    PROSODY_UNREACHABLE = "prosody-unreachable", "The bridge cannot join the brewery."
    BRIDGE_NO_ADDRESS = "bridge-no-address", "Jicofo gives an unhealthy bridge no calls."
    BRIDGE_ABSENT = "bridge-absent", "Jicofo does not know the bridge and gives it no calls."
    MEDIA_SILENT = "media-silent", "People join and do not hear each other."
