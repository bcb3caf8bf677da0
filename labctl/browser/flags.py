"""How Chromium is started: name resolution, devices, and features that are turned off."""

from __future__ import annotations

from labctl.crowd.target import HTTPS_PORT, Target

DEVICES = (
    "--use-fake-device-for-media-stream",  # a moving picture, and a beep every second
    "--use-fake-ui-for-media-stream",  # as if the user had said yes
    "--autoplay-policy=no-user-gesture-required",
)


def render_flags(target: Target) -> list[str]:
    """Chromium's arguments, in addition to Playwright's own.

    See `render_rules` for what names resolve to.
    """
    keys = [] if target.keys is None else [f"--ssl-key-log-file={target.keys.resolve()}"]
    return [*DEVICES, f"--host-resolver-rules={render_rules(target)}", *keys]


def render_rules(target: Target) -> str:
    """The value of Chromium's `--host-resolver-rules`.

    The lab's domain resolves to the lab and no other name resolves, so a page cannot reach a third
    party, and this machine's resolver is not asked.
    """
    place = f"{target.address}:{target.port}"
    return f"MAP {target.domain}:{HTTPS_PORT} {place}, MAP * ~NOTFOUND"
