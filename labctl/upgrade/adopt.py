"""A lab's nodes as people's servers are: installed for the lab's domain, and configured by hand.

Images are baked for a placeholder, whose answers debconf still has.  An upgrade would configure
that host, beside the lab's, and put its name into Jicofo's file.  Nor do the packages know of
files that labctl placed without them: they would put their own certificates in the place of the
lab's, say (docs/facts/packages.md, 7).
"""

from __future__ import annotations

from labctl.node.reach import reach
from labctl.node.script import ShellScript
from labctl.node.seam import on_all
from labctl.topology.lab import Lab
from labctl.topology.model import Node
from labctl.topology.roles import PROSODY, runs

SECONDS = 120.0
"""The original's script restarts Prosody and sleeps ten seconds (docs/facts/packages.md, 8)."""

_ANSWERS = """\
jitsi-videobridge2 jitsi-videobridge/jvb-hostname string {domain}
jitsi-meet-prosody jitsi-meet-prosody/jvb-hostname string {prosody}
jitsi-meet-web-config jitsi-meet/jvb-hostname string {domain}
"""
_ANSWER = "set -eu\ndebconf-set-selections\n"

# A file says that the host is set up; all hosts of the lab are in Prosody's main file, which
# people's files include.  Certificates are where the packages make them, with links to them.
_BY_HAND = (
    _ANSWER
    + """
host=/etc/prosody/conf.avail/{domain}.cfg.lua
[ -e "$host" ] || echo '-- The hosts are in prosody.cfg.lua.' > "$host"
grep -q '^Include "conf\\.d/\\*\\.cfg\\.lua"' /etc/prosody/prosody.cfg.lua ||
    printf '\\nInclude "conf.d/*.cfg.lua"\\n' >> /etc/prosody/prosody.cfg.lua
for file in /etc/prosody/certs/*; do
    [ -f "$file" ] && [ ! -L "$file" ] || continue
    kept=/var/lib/prosody/${{file##*/}}
    mv "$file" "$kept"
    ln -s "$kept" "$file"
done
"""
)

# The packages' own host stands beside the vnodes, as on every machine on which the package was
# installed before upstream's script made them.  It does not run.
_BY_PACKAGE = (
    _ANSWER
    + """
DEBIAN_FRONTEND=noninteractive dpkg-reconfigure jitsi-meet-prosody > /dev/null 2>&1
systemctl stop prosody.service
"""
)


def adopt(lab: Lab) -> None:
    """Let every node's packages know that they are set up for the lab.  Errors: NodeError."""
    nodes = {node.name: node for node in lab.topology.nodes}
    on_all(list(nodes), lambda name: _adopt(lab, nodes[name]))


def _adopt(lab: Lab, node: Node) -> None:
    domain = lab.topology.domain
    script, prosody = _ANSWER, domain
    if runs(node, PROSODY):
        script = _BY_HAND
    elif node.vnodes:
        # What notes that it is set up must be empty, or the package makes nothing.
        script, prosody = _BY_PACKAGE, ""
    work = ShellScript(script.format(domain=domain))
    answers = _ANSWERS.format(domain=domain, prosody=prosody)
    reach(lab).run(node.name, work, sudo=True, stdin=answers, seconds=SECONDS)
