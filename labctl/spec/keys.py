"""The keys of lab.conf, object by object; docs/lab-conf.md says what each is."""

from __future__ import annotations

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
