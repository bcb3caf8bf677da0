"""What older packages do otherwise, so that one suite judges each version by what it should do.

A test with the marker `since` is about newer packages.  With those that are known to lack what it
looks at, it is skipped, and the reason says what they do instead; with versions between the two
that are known, it may fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from acceptance import remote
from acceptance.remote import Machine
from labctl.topology.versions import NEWEST, Versions


@dataclass(frozen=True, slots=True)
class Since:
    """Where a behaviour begins: the oldest version that is known to have it, the newest without."""

    package: str
    having: str
    lacking: str

    def known(self, installed: Mapping[str, str]) -> bool | None:
        """Whether the installed package has it; None if nobody has looked at such a version."""
        if Versions(self.package, since=self.having).hold(installed):
            return True
        return False if Versions(self.package, until=self.lacking).hold(installed) else None


PLUGINS = Since("jitsi-meet-prosody", having="1.0.9378", lacking="1.0.8982")
"""The plugins of August 2026, and those of January (docs/facts/observed-labs.md, 15)."""


def ask_versions(jms: Machine) -> Mapping[str, str]:
    """The installed versions of the packages whose behaviour depends on them."""
    asked = f"dpkg-query -W -f '${{Package}} ${{Version}}\\n' {' '.join(NEWEST)}"
    lines = remote.run(jms, asked).stdout.splitlines()
    return dict(line.split(" ", 1) for line in lines)


def judge_by_age(request: pytest.FixtureRequest, installed: Mapping[str, str]) -> None:
    """Skip the test, or let it fail, as its marker and the installed packages have it."""
    marker = request.node.get_closest_marker("since")
    since, older = marker.args
    match since.known(installed):
        case False:
            pytest.skip(f"{since.package} {installed[since.package]} is older: {older}")
        case None:
            request.applymarker(pytest.mark.xfail(reason=f"older packages: {older}", strict=False))
