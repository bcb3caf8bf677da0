"""The keys of lab.conf, each with a line of documentation."""

from __future__ import annotations

DOCUMENTED_KEYS = {
    "lab": "name of the lab and of its folder under .lab/",
    "provider": "docker",
    "domain": "the conference domain; any host name, or the JMS's address",
    "network": "the lab's network, e.g. 192.168.56.0/24",
    "jvbs": "videobridges beside the JMS's own, 0 to 50",
    "visitors": "visitor Prosodies, 0 to 64 (or an object with 'count' and 'per_node')",
    "visitors.count": "the same, as an object",
    "visitors.per_node": "visitor Prosodies per machine, 1 to 64",
    "visitors.layout": "nodes: machines of their own; local: all on the JMS",
    "max-participants": "who joins after that many is a visitor",
    "relays": "on: a conference may span several bridges",
    "turn": "on: coturn on the JMS, for clients that cannot reach a bridge",
    "packages": "SOURCE as for '--packages', or an object",
    "packages.source": "auto, jitsi, debs or stand-ins",
    "packages.channel": "stable, testing or unstable (source jitsi)",
    "packages.path": "directory of .deb files (source debs)",
    "packages.files": "the .deb files themselves, instead of a directory",
    "packages.versions": "exact versions, package = version",
    "packages.versions-file": "a file of lines 'package version'",
    "packages.repository": "another address of Jitsi's repository, such as a mirror",
    "packages.key": "fingerprint of the key that signs the repository",
    "roles.jms.memory": "memory of the role's machines, e.g. 4 GiB; likewise jvb, visitors",
    "roles.jms.cpus": "virtual CPUs of the role's machines; likewise jvb, visitors",
}

TOP = (
    "lab",
    "provider",
    "domain",
    "network",
    "jvbs",
    "visitors",
    "max-participants",
    "relays",
    "turn",
    "packages",
    "roles",
)
VISITORS = ("count", "per-node", "layout")
PACKAGES = (
    "source",
    "channel",
    "path",
    "files",
    "versions",
    "versions-file",
    "repository",
    "key",
)
ROLES = ("jms", "jvb", "visitors")
SIZES = ("memory", "cpus")
