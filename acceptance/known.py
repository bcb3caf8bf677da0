"""What healthy labs say although it looks like trouble: each line with the reason why it may be.

A line that is not here fails the suite.  Patterns are searched for in the whole line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labctl.drills.knownlines import KNOWN


@dataclass(frozen=True, slots=True)
class Known:
    """A line that is expected, and why."""

    pattern: str
    reason: str


JOURNAL = (
    Known(r"pam_env\(sshd:session\): Unable to open env file", "images set no locale"),
    Known(r"environment variable evaluates to an empty string: JVB_OPTS", "upstream's unit"),
    Known(r"ConfigurationDirectory '.*' already exists but the mode", "only its group may read it"),
    Known(r"kex_exchange_identification|banner exchange: Connection from", "a scan of the ports"),
    Known(r"sshd\S*: .*Connection (reset|closed) by", "a scan of the ports"),
    Known(r"Failed to (set|reset) .*(oom_score|devices|sysctl)", "a container may not"),
    Known(r"sysctl: permission denied", "jitsi-videobridge2's package in a container"),
    Known(
        r"(jitsi-videobridge2|prosody(-v@\d+)?)\.service: .*(killed|signal)", "a drill's SIGKILL"
    ),
    Known(r"systemd\[1\]: .*Failed with result '(signal|watchdog)'", "a drill's SIGKILL"),
    Known(r"SysV service '.*' lacks a native systemd unit", "Jicofo's package has none"),
    Known(r"systemd-sysv-generator", "Jicofo's package has no unit of its own"),
    Known(r"nginx.*could not build optimal", "a hint about speed"),
    Known(
        r"jicofo\.service: (Found left-over process|This usually indicates unclean)",
        "a restart: Jicofo's script does not wait for the end of the old process",
    ),
    Known(
        r"cgroup compatibility translation|Failed to set 'memory", "the drill 'memory', cgroups v1"
    ),
    Known(r"token_verification\W+(error\W+)?Token .*not allowed to join", "test_auth"),
    Known(r"visitors_component\W+'app_id' must not be empty", "no queue service is configured"),
    Known(r"visitors_component\W+Visitor needs to be allowed by a moderator", "test_promotion"),
    Known(r"turnserver.*(A peer IP 192\.0\.2\.1 denied|Cannot find credentials)", "test_turn"),
)
"""Warnings and worse in the journal since boot, the kernel's left out (it is not the node's)."""

PROSODY_CHECK = (
    Known(r"^Checking |^ +Certificate: |^Done\.$|passed, congratulations", "what is checked"),
    Known(r"following configuration files|^ +-  /etc/prosody", "what is checked"),
    Known(r"deprecated options in the global|'daemonize' -- instead", "upstream's vnode template"),
    Known(r"mod_posix is loaded|been deprecated\. You can safely", "upstream's configuration"),
    Known(r"hosts may be missing features|'prosodyctl check features'", "meetings need few"),
    Known(r"^Problems found, see above", "sums up the lines above, which are judged one by one"),
    Known(r"lua-unbound|recommended|luaunbound|problem with DNS", "a lab does not use DNS"),
)
"""Output of `prosodyctl check config`, `certs` and `disabled`."""


def logs(installed: Mapping[str, str]) -> tuple[Known, ...]:
    """For prosody.err, SEVERE in Jitsi's logs and errors of nginx; `installed` are versions by
    package.  The gate judges by the same lines."""
    return tuple(Known(line.pattern, line.reason) for line in KNOWN if line.judged_for(installed))


def unknown(lines: Iterable[str], known: Iterable[Known]) -> list[str]:
    """The lines that no known pattern explains, blank ones left out."""
    patterns = [re.compile(one.pattern) for one in known]
    return [line for line in lines if line.strip() and not any(p.search(line) for p in patterns)]
