"""XEP-0198 bookkeeping of one client session: what was sent, acknowledged and received."""

from __future__ import annotations

from collections import deque

REQUEST_EVERY = 5


class StreamManagement:
    """Counters and the queue of stanzas that the server has not acknowledged."""

    def __init__(self) -> None:
        self.enabled = False
        self.id: str | None = None
        self.received = 0
        self._acked = 0
        self._unacked: deque[str] = deque()
        self._since_request = 0

    @property
    def can_resume(self) -> bool:
        """Whether the server promised to keep the session."""
        return self.id is not None

    def start(self, resume_id: str | None) -> None:
        """The server enabled stream management for a fresh session."""
        self.enabled = True
        self.id = resume_id
        self.received = 0
        self._acked = 0
        self._since_request = 0
        self._unacked.clear()

    def forget(self) -> None:
        """The session is over for good."""
        self.enabled = False
        self.id = None
        self._unacked.clear()

    def sent(self, stanza: str) -> bool:
        """Remember a stanza; true when it is time to ask for an acknowledgement."""
        if not self.enabled:
            return False
        self._unacked.append(stanza)
        self._since_request += 1
        if self._since_request < REQUEST_EVERY:
            return False
        self._since_request = 0
        return True

    def acknowledged(self, handled: int) -> None:
        """The server says it has handled `handled` stanzas (modulo 2^32)."""
        count = (handled - self._acked) % 2**32
        for _ in range(min(count, len(self._unacked))):
            self._unacked.popleft()
        self._acked = handled

    def unacknowledged(self) -> list[str]:
        """What must be sent again after a resumption, oldest first."""
        return list(self._unacked)
