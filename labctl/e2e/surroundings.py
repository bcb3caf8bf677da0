"""What surrounds a suite: the variables that jitsi-meet's suite reads, and a home folder.

Its variables are listed in tests/env.example of jitsi-meet.  What it may expect of an installation
is a file of JSON, whose keys are those of tests/helpers/expectations.ts.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labctl.browser.flags import render_rules
from labctl.browser.trust import write_trust
from labctl.core.files import write_json
from labctl.crowd.target import Target
from labctl.e2e.needs import Programs
from labctl.e2e.suite import Suite
from labctl.topology.model import Topology

CONFIG = Path(__file__).with_name("wdio") / "labctl.conf.mts"
"""What WebdriverIO is run with; it reads the suite's own configuration."""

EXPECTATIONS = "expectations.json"

ELSEWHERE = (
    "DIAL_IN_REST_URL",
    "DIAL_OUT_URL",
    "GRID_HOST_URL",
    "IFRAME_TENANT",
    "JAAS_KID",
    "JAAS_PRIVATE_KEY_PATH",
    "JAAS_TENANT",
    "JWT_ACCESS_TOKEN",
    "JWT_KID",
    "JWT_PRIVATE_KEY_PATH",
    "ROOM_NAME",
    "ROOM_NAME_PREFIX",
    "ROOM_NAME_SUFFIX",
    "SIP_JIBRI_DIAL_OUT_URL",
    "WEBHOOKS_PROXY_SHARED_SECRET",
    "WEBHOOKS_PROXY_URL",
)
"""Variables that send a suite to other installations; for a lab they are empty."""


@contextmanager
def throw_away_home(target: Target, expectations: Mapping[str, Any]) -> Iterator[Path]:
    """A home folder in which Chromium trusts the lab's CA; it is gone afterwards.

    Errors: LabError if the lab's address is not on a network of this machine; ProcessError.
    """
    target.prove(target.address)
    # What a browser that was killed still writes must not be what fails.
    with tempfile.TemporaryDirectory(prefix="labctl-e2e-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        write_trust(home, target.ca_file)
        write_json(home / EXPECTATIONS, dict(expectations))
        (home / "tmp").mkdir()
        yield home


def expectations_of(topology: Topology) -> dict[str, Any]:
    """What jitsi-meet's suite may expect of a lab: what it has, and what it cannot have."""
    turn = topology.spec.turn
    return {
        "dialIn": {"enabled": False, "moreNumbersPage": False},
        "iframe": {"enabled": True},
        "jaas": {
            "fileSharingEnabled": False,
            "liveStreamingEnabled": False,
            "recordingEnabled": False,
            "transcriptionEnabled": False,
            "visitors": bool(topology.vnodes),
        },
        "moderation": {
            "allModerators": False,
            "autoModerator": True,
            "firstModerator": True,
            "grantModerator": True,
            "setPasswordAvailable": True,
        },
        "connectivity": {
            "jvb": {"direct": True, "turn": turn},
            "p2p": {"direct": False, "turn": turn},
        },
        "useTenant": True,
    }


def render_environment(
    suite: Suite, target: Target, *, home: Path, headless: bool = True
) -> dict[str, str]:
    """The variables for every spec; they are added to this process's own."""
    inside = {f"XDG_{name}_HOME": str(home / ".xdg" / name) for name in ("CACHE", "CONFIG", "DATA")}
    return {
        **dict.fromkeys(ELSEWHERE, ""),
        "ALLOW_INSECURE_CERTS": "false",
        "BASE_URL": f"https://{target.domain}/",
        "RESOLVER_RULES": render_rules(target),
        "EXPECTATIONS": str(home / EXPECTATIONS),
        "HEADLESS": "true" if headless else "false",
        "MAX_INSTANCES": "1",
        # The user's own settings for other installations.
        "DOTENV_CONFIG_PATH": os.devnull,
        "NODE_EXTRA_CA_CERTS": str(target.ca_file),
        "NODE_PATH": str(suite.package / "node_modules"),
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        **inside,
    }


def render_asked(
    suite: Suite,
    target: Target,
    *,
    programs: Programs,
    results: Path,
    folder: Path,
    headless: bool = True,
) -> str:
    """What `wdio/labctl.conf.mts` is asked: JSON for its variable LABCTL_E2E."""
    args = [f"--host-resolver-rules={render_rules(target)}"]
    if headless:
        args.append("--headless")
    if os.geteuid() == 0:
        args.append("--no-sandbox")  # Chromium does not run its sandbox as root
    asked = {
        "config": str(suite.config),
        "results": str(results),
        "folder": str(folder),
        "chromium": programs.chromium,
        "chromedriver": programs.chromedriver,
        "args": args,
    }
    return json.dumps(asked)
