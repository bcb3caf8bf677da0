"""How this machine reaches a host outside: proxies of apt, of the environment, of Docker's client.

The answer is apt settings, because apt downloads everything: on this machine, while a base is made
and while a role is baked.  A setting for one host wins over those for all, in every apt.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from labctl.core import process
from labctl.core.files import write_json
from labctl.core.user import ensure_home

DIRECT = "DIRECT"
SCRIPT = re.compile(r"acquire::https?::proxy-?auto-?detect", re.IGNORECASE)
SCRIPT_SECONDS = 10.0


USERS = "LABCTL_DOCKER_CONFIG"
"""The variable that keeps the user's own folder once programs are given another."""


def docker_file() -> Path:
    """The user's settings of Docker's client."""
    named = os.environ.get(USERS) or os.environ.get("DOCKER_CONFIG")
    return Path(named or ensure_home() / ".docker") / "config.json"


def hide_from_containers(folder: Path) -> None:
    """Keep the proxies of Docker's client out of our containers, and so out of images and nodes.

    The client would put them into the environment of each container, from where a commit takes
    them into the image.  Programs that are started later get a copy of its settings in `folder`
    without proxies; contexts, plugins and passwords are the user's.
    """
    file = docker_file()
    if not load_docker_proxies(file):
        return
    data = json.loads(file.read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    for entry in file.parent.iterdir():
        link = folder / entry.name
        if entry != file and not link.is_symlink():
            link.symlink_to(entry)
    kept = {name: value for name, value in data.items() if name != "proxies"}
    write_json(folder / file.name, kept, mode=0o600)
    os.environ[USERS] = str(file.parent)
    os.environ["DOCKER_CONFIG"] = str(folder)


def load_docker_proxies(file: Path) -> dict[str, str]:
    """The proxies that Docker's client gives to containers, as variables of the environment."""
    with suppress(OSError, ValueError, AttributeError):
        found = json.loads(file.read_text(encoding="utf-8"))["proxies"]["default"]
        names = {"httpProxy": "http_proxy", "httpsProxy": "https_proxy", "noProxy": "no_proxy"}
        return {names[key]: str(value) for key, value in found.items() if key in names and value}
    return {}


def complete(
    settings: Mapping[str, str],
    uris: Iterable[str],
    *,
    environment: Mapping[str, str] | None = None,
    docker: Path | None = None,
) -> dict[str, str]:
    """apt's settings, with what they leave to others said for the host of each URI.

    apt itself runs its script for finding a proxy and reads the environment; in an image that is
    baked, neither is there.  Docker's client gives its proxies to containers only.
    """
    found = {name: value for name, value in settings.items() if not SCRIPT.fullmatch(name)}
    environment = os.environ if environment is None else environment
    client = load_docker_proxies(docker or docker_file())
    for uri in uris:
        parts = urlsplit(uri)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            continue
        name = f"Acquire::{parts.scheme}::Proxy::{parts.hostname}"
        if _setting(found, parts.scheme, f"Proxy::{parts.hostname}") is not None:
            continue
        proxy = _detected(settings, uri)
        if proxy is None and _setting(found, parts.scheme, "Proxy") is not None:
            continue
        proxy = proxy or _named(environment, parts.scheme, parts.hostname)
        proxy = proxy or _named(client, parts.scheme, parts.hostname)
        if proxy is not None:
            found[name] = proxy
    return found


def _setting(settings: Mapping[str, str], scheme: str, what: str) -> str | None:
    """A setting of apt; those for http are also for https."""
    known = {name.lower(): value for name, value in settings.items()}
    for each in dict.fromkeys((scheme, "http")):
        if value := known.get(f"acquire::{each}::{what}".lower()):
            return value
    return None


def _detected(settings: Mapping[str, str], uri: str) -> str | None:
    """The answer of apt's script for this URI; None without a script, or if it says nothing."""
    scheme = urlsplit(uri).scheme
    script = _setting(settings, scheme, "Proxy-Auto-Detect") or _setting(
        settings, scheme, "ProxyAutoDetect"
    )
    if script is None:
        return None
    with suppress(process.ProcessError):
        said = process.run([script, uri], check=False, timeout=SCRIPT_SECONDS).output.split()
        return said[0] if said else None
    return None


def _named(variables: Mapping[str, str], scheme: str, host: str) -> str | None:
    """The proxy that variables such as http_proxy name for a host; DIRECT if they except it."""
    values = {name.lower(): value for name, value in variables.items() if value}
    proxy = values.get(f"{scheme}_proxy")
    if proxy is None:
        return None
    excepted = values.get("no_proxy", "")
    if any(_excepts(word, host) for word in re.split(r"[\s,]+", excepted) if word):
        return DIRECT
    return proxy if "://" in proxy else f"http://{proxy}"


def _excepts(word: str, host: str) -> bool:
    """Whether a word of no_proxy means this host: '*', a domain, an address or a network."""
    if word == "*":
        return True
    domain = word.lower().removeprefix("*").lstrip(".").partition(":")[0]
    if host.lower() == domain or host.lower().endswith(f".{domain}"):
        return True
    with suppress(ValueError):
        return ip_address(host) in ip_network(word, strict=False)
    return False
