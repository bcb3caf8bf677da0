"""What an operator changes in the running main Prosody, with `prosodyctl shell`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from acceptance import remote
from acceptance.remote import Machine
from labctl.node.jicofo import LOG

CONFIG = "/etc/prosody/prosody.cfg.lua"
SECONDS = 20


def shell(jms: Machine, command: str) -> str:
    """What Prosody's shell answers to one command."""
    result = remote.run(jms, "prosodyctl shell %s", command)
    said = f"{result.stdout}\n{result.stderr}".strip()
    assert result.rc == 0 and "Result: nil" not in said, f"prosodyctl shell: {said}"
    return said


def set_limit(jms: Machine, room_jid: str, seats: int) -> None:
    """Limit the seats of one room, as modules for presets do, and wait until Jicofo knows.

    The room's metadata has it, which no client may set (docs/facts/moderation.md, 2).
    """
    muc = room_jid.partition("@")[2]
    lua = (
        f'>local host = prosody.hosts["{muc}"]; '
        f'local room = host.modules.muc.get_room_from_jid("{room_jid}"); '
        "room.jitsiMetadata = room.jitsiMetadata or {}; "
        f"room.jitsiMetadata.participantsSoftLimit = {seats}; "
        'host.events.fire_event("room-metadata-changed", { room = room }); return "done"'
    )
    seconds = jms.patience.whole(SECONDS)
    # One command, so that a test waits for one connection only.
    script = (
        f'from=$(stat -c %s {LOG}); prosodyctl shell "$1" || exit 1; '
        f"for i in $(seq {seconds * 10}); do "
        f'tail -c +$from {LOG} | grep -F "$2" | grep -qF "$3" && exit 0; sleep 0.1; done; '
        "echo Jicofo did not log it >&2; exit 1"
    )
    line = f"ParticipantsSoftLimit is now {seats}."
    words = (script, lua, line, room_jid)
    result = remote.run(jms, "sh -c %s sh %s %s %s", *words, seconds=2 * SECONDS)
    assert result.rc == 0, f"'{line}': {result.stdout}{result.stderr}"


@contextmanager
def moderators_promote(jms: Machine, domain: str) -> Iterator[None]:
    """Promotion is no longer automatic: moderators are asked.  Undone at the end.

    The visitors component forgets all conferences when it is loaded anew.
    """
    automatic, asked = (f"auto_allow_visitor_promotion = {word}" for word in ("true", "false"))
    try:
        _replace(jms, automatic, asked, domain)
        yield
    finally:
        _replace(jms, asked, automatic, domain)


def _replace(jms: Machine, old: str, new: str, domain: str) -> None:
    # Not `sed -i`: that would make a file with another owner.
    script = f'text=$(sed "s/{old}/{new}/" {CONFIG}) && printf "%%s\\n" "$text" > {CONFIG}'
    result = remote.run(jms, "sh -c %s", script.replace("%%", "%"))
    assert result.rc == 0, result.stderr
    shell(jms, "config:reload()")
    shell(jms, f"module:reload('visitors_component', 'visitors.{domain}')")
