"""What healthy labs log although it looks like trouble, and what drills cause: each line judged.

The acceptance suite fails on errors that are not here; the gate shows these apart from lines that
nobody has judged.  Methods and numbers of lines change between releases, so patterns name at most a
class.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from labctl.topology.versions import Versions

JICOFO, BRIDGE, PROSODY, NGINX = "jicofo", "jvb", "prosody", "nginx"
SYSTEMD = "systemd"
"""Logs, by the names that `labctl.report.logs.source_of` gives them; of vnodes without a number.
In the journal it is the program that wrote the line."""

_THROWN = re.compile(r"^(?:Caused by: )?[\w.$]*?([\w$]*(?:Exception|Error))\b")


@dataclass(frozen=True, slots=True)
class KnownLine:
    """A line of a program's log that somebody has judged, and the reason why it may be there.

    `pattern` is searched for in its first line.  If a stack trace follows, the class of what was
    thrown must match `thrown`; the same words with another exception are not known.  `versions`
    are those whose line was judged, None for all; `load` is whether a busy machine is the reason.
    """

    source: str
    pattern: str
    reason: str
    thrown: str = ""
    versions: Versions | None = None
    load: bool = False

    def judged_for(self, installed: Mapping[str, str]) -> bool:
        """Whether the line was judged for a lab with these versions by package."""
        return self.versions is None or self.versions.hold(installed)

    def explains(self, text: str, *, source: str, installed: Mapping[str, str]) -> bool:
        """Whether it is this line, in the log `source` of a lab with these versions by package."""
        first, _, trace = text.strip().partition("\n")
        thrown = thrown_by(trace)
        return (
            source == self.source
            and re.search(self.pattern, first) is not None
            and (thrown is None or re.fullmatch(self.thrown, thrown) is not None)
            and self.judged_for(installed)
        )


def thrown_by(trace: str) -> str | None:
    """The class of what was thrown, without its package; None if no stack trace begins here."""
    found = _THROWN.match(trace.strip().partition("\n")[0])
    return found[1] if found is not None else None


def explain(text: str, *, source: str, installed: Mapping[str, str]) -> KnownLine | None:
    """The known line that an entry of a log is, if any."""
    known = (it for it in KNOWN if it.explains(text, source=source, installed=installed))
    return next(known, None)


_LATE = r"(?:SmackException\$)?(?:NoResponse|NotConnected|EndpointConnection)Exception"

KNOWN = (
    # ------------------------------------------------------------------------------- Jicofo
    # facts observed-labs 5
    KnownLine(
        JICOFO,
        r"Roster\S*: Exception reloading roster",
        "Prosody's host keeps no roster for Jicofo; twice in each login, perhaps of Smack as "
        "published only",
        thrown=r"(?:XMPPException\$)?XMPPErrorException",
    ),
    # facts observed-labs 5
    KnownLine(
        JICOFO,
        r"Roster not loaded while processing Presence Stanza",
        "Jicofo is in a room on a vnode, where it has no roster",
    ),
    # facts jicofo-log 2
    KnownLine(
        JICOFO,
        r"Discovered components: \[",
        "says which components a host has; it is a warning by its level only",
    ),
    # facts observed-labs 5
    KnownLine(
        JICOFO,
        r"visitor=false chosen for participant with visitor=true",
        "a visitor of the main room gets the bridge of the participants",
    ),
    KnownLine(
        JICOFO,
        r"Participant not found for \S+ Terminated already"
        r"|No session found for SID|No ParticipantInfo for|Jingle session not established"
        r"|Unexpected response to session-initiate|tryToSendStanza.*Failed to send packet",
        "somebody left, or the room ended, while Jicofo was still inviting",
    ),
    # facts jicofo-log 5
    KnownLine(
        JICOFO,
        r"Failed to allocate (?:a colibri2 endpoint|colibri channels)"
        r"|Colibri2Session\S*: Received error response",
        "a bridge was stopped, hung or began anew while Jicofo asked it for a conference; drills "
        "do this, and so does timing its start",
        thrown=r"ColibriAllocationFailedException",
    ),
    # facts jicofo-log 3
    KnownLine(
        JICOFO,
        r"Lost a bridge: |There are no operational bridges|no bridge available\."
        r"|A new bridge was selected, but Octo is disabled",
        "a bridge was stopped: drills do this, and so does timing its start",
    ),
    # facts jicofo-log 3
    KnownLine(
        JICOFO,
        r"[Hh]ealth.check (?:failed|timed out)|Unexpected error returned by the bridge",
        "a bridge was hung, cut off or stopped by a drill",
    ),
    # facts jicofo-log 2
    KnownLine(
        JICOFO,
        r"Failed to connect/login|Failed to connect, will re-try|Reconnected without resuming"
        r"|XMPP (?:connection closed on error|reconnection failed)"
        r"|updateParticipant request timed out|Cannot grant ownership"
        r"|Failed to (?:leave|join) the|unable to (?:leave|join)",
        "Prosody or a vnode was restarted",
        thrown=_LATE,
    ),
    KnownLine(
        JICOFO,
        r"The room was destroyed, stopping|Unmute not allowed due to av moderation",
        "the acceptance suite ended a meeting as its moderator, or unmuted without leave",
    ),
    KnownLine(
        JICOFO,
        r"VisitorsManager.*Received error response.*item-not-found",
        "a conference ended while Prosody was told of its visitors",
    ),
    KnownLine(
        JICOFO,
        r"No caps nodeVer found",
        "a participant without browser announces no capabilities and is asked for them",
    ),
    # ------------------------------------------------------------------------------- the bridge
    # facts observed-labs 5
    KnownLine(
        BRIDGE,
        r"Conference\S*: Took \d+ ms to process an IQ",
        "the machine was busy",
        load=True,
    ),
    KnownLine(
        BRIDGE,
        r"Probe delay too high",
        "the machine was busy, and a probe for bandwidth came too late",
        load=True,
    ),
    # facts observed-labs 5
    KnownLine(
        BRIDGE,
        r"Colibri websocket error: null",
        "a browser went away without closing its channel",
        thrown=r"(?:ClosedChannel|EofException|IOException|EOF|SocketException)\w*",
    ),
    # facts observed-labs 5
    KnownLine(
        BRIDGE,
        r"Using @Deprecated Class \S+\.CrossOriginFilter",
        "newer packages have a Jetty that says so of the filter they use",
        # Since Jetty 12 (section 8): not in 2.3-277, nine times in 2.3-312.
        versions=Versions("jitsi-videobridge2", since="2.3-292"),
    ),
    KnownLine(
        BRIDGE,
        r"A provider org\.jitsi\.\S+ registered in SERVER runtime does not implement any provider",
        "Jersey says at each start that the bridge registers its REST resources as providers, too",
    ),
    KnownLine(
        BRIDGE,
        r"JAXBContext implementation could not be found",
        "Jersey's description of REST services (WADL) needs a library that nobody uses here",
    ),
    # facts videobridge 9
    KnownLine(
        BRIDGE,
        r"Error connecting:|Failed to login\. Disconnecting|Cannot set presence extension"
        r"|MucClient\S*: Closed on error",
        "the bridge started before Prosody answered, or Prosody was restarted; it tries again",
        thrown=_LATE + r"|ConnectException|SocketException",
    ),
    KnownLine(
        BRIDGE,
        r"IceTransport\S*: Stopping reader|Connector died:|Removing connector:",
        "a call ended or the bridge was stopped while threads waited on its sockets",
        thrown=r"SocketException|ClosedChannelException|AsynchronousCloseException",
    ),
    # facts videobridge 9
    KnownLine(
        BRIDGE,
        r"Health check failed in",
        "a drill took away an address or cut the bridge off",
    ),
    # ------------------------------------------------------------------------------- Prosody
    # facts observed-labs 5
    KnownLine(
        PROSODY,
        r"visitors_component.*'app_id' must not be empty",
        "the queue service for visitors is not configured",
    ),
    # facts observed-labs 13
    KnownLine(
        PROSODY,
        r"No hosts\[from_host\].* from='\S+@conference\.\S+\.v\d+\.meet\.jitsi/",
        "a tenant's hall ends: its vnode writes to the stage from the tenant's outer name,"
        " which is no host; nobody needs these stanzas",
    ),
    KnownLine(
        PROSODY,
        r"polls.*Error initializing module|module 'polls'",
        "upstream's configuration names a module that upstream has removed",
    ),
    KnownLine(
        PROSODY,
        r"s2s_whitelist.*Not sending to stranger\.example|s2sin.*No stream features to offer",
        "the acceptance suite poses as a server that is not one of the lab's, and is turned away",
    ),
    KnownLine(
        PROSODY,
        r"Visitor needs to be allowed by a moderator|Poll cannot be created on visitor node",
        "the acceptance suite tries what a visitor may not do, and is refused",
    ),
    KnownLine(
        PROSODY,
        r"Blocking attempt of .* to modify Jicofo"
        r"|\S+ may not (?:change .*|moderate|end the conference \S+)$",
        "the acceptance suite tries what only moderators or Jicofo may do, and is refused",
    ),
    KnownLine(
        PROSODY,
        r"stanzarouter.*[Rr]eceived stanza with invalid destination JID",
        "the acceptance suite sends names of rooms that the protocol refuses",
    ),
    KnownLine(
        PROSODY,
        r"token_verification.*Token .*not allowed to join|Error verifying token",
        "the acceptance suite shows tokens that are not right, and is refused",
    ),
    KnownLine(PROSODY, r"startup:? Received SIGTERM", "a drill or a test stopped or restarted it"),
    KnownLine(
        PROSODY, r"Prosody was compiled without|lua-unbound", "Debian's build; DNS is not used"
    ),
    # ------------------------------------------------------------------------------- nginx
    KnownLine(
        NGINX,
        r"(?:connect|recv|send)\(\) failed|upstream (?:prematurely closed|timed out)"
        r"|\"GET /(?:xmpp-websocket|http-bind)\S* HTTP/[\d.]+\" 502 ",
        "Prosody, a vnode or Jicofo was restarted or stopped",
    ),
    KnownLine(
        NGINX,
        r"open\(\) \"/usr/share/jitsi-meet/.*failed",
        "somebody asked for a page that is not there",
    ),
    # ------------------------------------------------------------------------------- the journal
    KnownLine(
        SYSTEMD,
        r"(?:jitsi-videobridge2|jicofo|prosody(?:-v@\d+)?)\.service: "
        r"(?:Main process exited, code=killed, status=9/KILL|Failed with result 'signal')",
        "a drill's SIGKILL",
    ),
)
