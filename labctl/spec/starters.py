"""The lab.conf files that `labctl init` writes: settings here, comments from the declarations."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from labctl.core.errors import UsageError
from labctl.spec.explain import KeyFacts, all_keys, value_text

WIDTH = 78

Setting = bool | int | str


@dataclass(frozen=True, slots=True)
class Starter:
    """A template for a lab.conf.

    `what` is one sentence for lists, `more` are further sentences for the file; `settings` are the
    keys that it sets, in order.
    """

    name: str
    what: str
    settings: Mapping[str, Setting]
    more: str = ""


_FEW: Mapping[str, Setting] = {"jvbs": 1, "visitors.count": 1}

STARTERS = (
    Starter(
        "visitors",
        "The how-to of large conferences: JMS, two more bridges, eight visitor Prosodies.",
        {"jvbs": 2, "visitors.count": 8, "visitors.per-node": 8, "max-participants": 30},
        "Whoever joins a conference that is full becomes a visitor, on one of the vnodes.",
    ),
    Starter(
        "bridges",
        "The how-to of several bridges: JMS and two more bridges, no visitor Prosodies.",
        {"jvbs": 2, "visitors.count": 0},
        "Stop a bridge ('labctl drill run') and watch its conferences move to another.",
    ),
    Starter(
        "minimal",
        "The smallest lab: a JMS with its own bridge, on small machines.",
        {"jvbs": 0, "visitors.count": 0, "small": True},
    ),
    Starter(
        "ten-vnodes",
        "Ten visitor Prosodies on two machines: more than upstream's script can make.",
        {"jvbs": 1, "visitors.count": 10, "visitors.per-node": 5, "max-participants": 5},
    ),
    Starter(
        "relays",
        "A conference spans several bridges, which relay media to each other.",
        {"jvbs": 2, "visitors.count": 0, "relays": True},
    ),
    Starter(
        "turn",
        "A TURN server for clients that cannot reach a bridge by UDP.",
        {**_FEW, "turn": True},
    ),
    Starter(
        "auth-open",
        "No logins: everybody may begin a conference.",
        {**_FEW, "auth": "open"},
    ),
    Starter(
        "auth-internal",
        "A secure domain: accounts begin conferences, guests join them.",
        {**_FEW, "auth": "internal"},
        "The account is 'host'; 'host_password' in the lab's secrets.json is its password.",
    ),
    Starter(
        "auth-jwt",
        "Logins by token: whoever joins shows one for the room.",
        {**_FEW, "auth": "jwt"},
        "'app_secret' in the lab's secrets.json signs the tokens.",
    ),
    Starter(
        "lobby",
        "Accounts for moderators, and a lobby in which guests wait until they are let in.",
        {**_FEW, "auth": "internal", "lobby": True},
    ),
)
"""All templates; the first is the default."""


def find_starter(name: str) -> Starter:
    """The template of that name.  Errors: UsageError that names the nearest."""
    names = [each.name for each in STARTERS]
    if name in names:
        return STARTERS[names.index(name)]
    near = difflib.get_close_matches(name, names, n=1)
    meant = f" Did you mean '{near[0]}'?" if near else ""
    raise UsageError(
        f"There is no template '{name}'.{meant}", hint=f"Templates: {', '.join(names)}."
    )


def render_starter(starter: Starter) -> str:
    """The whole lab.conf: the template's settings, then all other keys as comments."""
    facts = {each.key: each for each in all_keys()}
    lines = [
        *_comment(f"lab.conf for labctl. {starter.what} {starter.more}"),
        "#",
        *_comment(
            "Flags of 'labctl up' win over this file. 'labctl config explain KEY' describes a key,"
            " and 'labctl config show' shows the values that result."
        ),
        "",
    ]
    for key, value in starter.settings.items():
        lines += [*_about(facts[key]), f"{key} = {value_text(value)}", ""]
    lines += ["# --- The other keys, with their defaults; remove '#' to set one.", ""]
    for key, each in facts.items():
        if key not in starter.settings and not _is_inner(key):
            lines += [*_about(each), f"#{key} = {_shown_default(each)}", ""]
    return "\n".join(lines)


def _about(facts: KeyFacts) -> Iterator[str]:
    default = f"Default: {facts.default}." if facts.default else ""
    yield from _comment(" ".join(filter(None, (facts.help, facts.bounds, default))))


def _is_inner(key: str) -> bool:
    """Keys that a file of a few lines need not mention: `labctl config explain` lists them."""
    return key.startswith(("packages.", "roles.", "hosts", "placement", "encrypt"))


def _shown_default(facts: KeyFacts) -> str:
    """The default as a value; of one that depends on other things, its last word."""
    return value_text(facts.default.split()[-1])


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False):
        yield f"# {line}"
