"""What can go wrong with a participant, as values."""

from __future__ import annotations

from labctl.core.errors import LabError


class CrowdError(LabError):
    """A participant could not do what it was asked to, or was lost while it waited."""


class StanzaError(CrowdError):
    """The server answered with an error stanza: its defined condition and text (RFC 6120, 8.3)."""

    def __init__(self, what: str, *, condition: str, text: str = "") -> None:
        explained = f" ({text})" if text else ""
        super().__init__(f"{what} was refused: '{condition}'{explained}.")
        self.condition = condition
        self.text = text
