"""The settings of the stand-in bridge, read from jvb.conf and sip-communicator.properties.

Defaults are those of the original's reference.conf; unknown keys are ignored, as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hocon import Config, ConfigError, Json, parse_bool
from xmppstream import Account, Security

LEGACY = "org.jitsi.videobridge.xmpp.user."
LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class MucConfig:
    """One XMPP connection of the bridge and the breweries it joins."""

    id: str
    account: Account
    mucs: tuple[str, ...]
    nick: str


@dataclass(frozen=True, slots=True)
class Websockets:
    """The colibri websocket service."""

    enabled: bool
    server_id: str
    domains: tuple[str, ...]
    relay_domains: tuple[str, ...]
    tls: bool


@dataclass(frozen=True, slots=True)
class Health:
    """Health check; times in seconds."""

    interval: float
    require_valid_address: bool
    sticky: bool


@dataclass(frozen=True, slots=True)
class Rest:
    """Which REST paths exist, and where the servers listen."""

    private_host: str
    private_port: int
    public_host: str
    public_port: int
    colibri: bool
    shutdown: bool
    parts: frozenset[str]


@dataclass(frozen=True, slots=True)
class JvbConfig:
    """Everything the stand-in reads; times in seconds."""

    mucs: tuple[MucConfig, ...]
    incomplete: tuple[str, ...]
    presence_interval: float
    region: str | None
    relay_id: str | None
    udp_port: int
    last_n: int
    sctp: bool
    initial_drain: bool
    graceful_max: float
    graceful_min_participants: int
    shutdown_delay: float
    entity_timeout: float
    expire_interval: float
    mappings: tuple[str, ...]
    advertise_private: bool
    health: Health
    websockets: Websockets
    rest: Rest


def parse_muc(id: str, values: Mapping[str, Json]) -> MucConfig | None:
    """A connection from upper-case keys; None when a required one is missing."""
    keys = {str(key).upper(): value for key, value in values.items()}
    needed = ("HOSTNAME", "USERNAME", "PASSWORD", "MUC_JIDS", "MUC_NICKNAME")
    if any(not keys.get(name) for name in needed):
        return None
    host = str(keys["HOSTNAME"])
    default = Security.IF_POSSIBLE if host in LOCAL else Security.REQUIRED
    mode = str(keys.get("SECURITY_MODE") or default)
    account = Account(
        host=host,
        port=int(str(keys.get("PORT") or 5222)),
        domain=str(keys.get("DOMAIN") or host),
        username=str(keys["USERNAME"]),
        password=str(keys["PASSWORD"]),
        security=Security(mode),
        verify=not parse_bool(keys.get("DISABLE_CERTIFICATE_VERIFICATION") or False),
    )
    rooms = tuple(room.strip() for room in str(keys["MUC_JIDS"]).split(",") if room.strip())
    return MucConfig(id, account, rooms, str(keys["MUC_NICKNAME"]))


def parse_mucs(
    config: Config, legacy: Mapping[str, str]
) -> tuple[tuple[MucConfig, ...], tuple[str, ...]]:
    """Connections and the ids of incomplete legacy ones; complete legacy ones win over HOCON."""
    groups: dict[str, dict[str, Json]] = {}
    for key, value in legacy.items():
        if key.startswith(LEGACY) and "." in key[len(LEGACY) :]:
            id, _, name = key[len(LEGACY) :].partition(".")
            groups.setdefault(id, {})[name] = value
    old = {id: parse_muc(id, values) for id, values in groups.items()}
    complete = tuple(muc for muc in old.values() if muc is not None)
    incomplete = tuple(id for id, muc in old.items() if muc is None)
    if complete:
        return complete, incomplete
    configs = config.section("videobridge.apis.xmpp-client.configs").items()
    new = (parse_muc(id, values) for id, values in configs if isinstance(values, dict))
    return tuple(muc for muc in new if muc is not None), incomplete


def parse_config(config: Config, legacy: Mapping[str, str]) -> JvbConfig:
    """The settings; raises ConfigError for a value of the wrong shape."""
    try:
        mucs, incomplete = parse_mucs(config, legacy)
    except ValueError as error:
        raise ConfigError(f"videobridge.apis.xmpp-client.configs: {error}") from error
    relay = any(
        config.flag(f"videobridge.{name}.enabled", default=False) for name in ("octo", "relay")
    )
    interval = config.seconds("videobridge.stats.interval", 5.0)
    expiry = config.seconds("videobridge.entity-expiration.timeout", 60.0)
    return JvbConfig(
        mucs=mucs,
        incomplete=incomplete,
        presence_interval=config.seconds(
            "videobridge.apis.xmpp-client.presence-interval", interval
        ),
        region=_first(config, "region"),
        relay_id=_first(config, "relay-id") if relay else None,
        udp_port=config.whole("videobridge.ice.udp.port", 10000),
        last_n=config.whole("videobridge.cc.jvb-last-n", -1),
        sctp=config.flag("videobridge.sctp.enabled", default=True),
        initial_drain=config.flag("videobridge.initial-drain-mode", default=False),
        graceful_max=config.seconds("videobridge.shutdown.graceful-shutdown-max-duration", 86400),
        graceful_min_participants=config.whole(
            "videobridge.shutdown.graceful-shutdown-min-participants", 0
        ),
        shutdown_delay=config.seconds("videobridge.shutdown.shutting-down-delay", 60.0),
        entity_timeout=expiry,
        expire_interval=config.seconds("videobridge.entity-expiration.check-interval", expiry),
        mappings=_mappings(config, legacy),
        advertise_private=config.flag("videobridge.ice.advertise-private-candidates", default=True),
        health=Health(
            interval=config.seconds("videobridge.health.interval", 60.0),
            require_valid_address=config.flag(
                "videobridge.health.require-valid-address", default=True
            ),
            sticky=config.flag("videobridge.health.sticky-failures", default=False),
        ),
        websockets=_websockets(config),
        rest=_rest(config),
    )


def _first(config: Config, name: str) -> str | None:
    for section in ("octo", "relay"):
        value = config.text(f"videobridge.{section}.{name}")
        if value:
            return value
    return None


def _mappings(config: Config, legacy: Mapping[str, str]) -> tuple[str, ...]:
    found = [legacy.get("org.ice4j.ice.harvest.NAT_HARVESTER_PUBLIC_ADDRESS", "")]
    mappings = config.get("ice4j.harvest.mapping.static-mappings")
    for mapping in mappings if isinstance(mappings, list) else []:
        if isinstance(mapping, dict):
            found.append(str(mapping.get("public-address") or ""))
    return tuple(address for address in found if address)


def _websockets(config: Config) -> Websockets:
    base = "videobridge.websockets."
    one, relay = config.texts(base + "domain"), config.texts(base + "relay-domain")
    return Websockets(
        enabled=config.flag(base + "enabled", default=False),
        server_id=config.text(base + "server-id", "default-id"),
        domains=tuple(config.texts(base + "domains") or one),
        relay_domains=tuple(config.texts(base + "relay-domains") or relay),
        tls=config.flag(base + "tls", default=False),
    )


def _rest(config: Config) -> Rest:
    servers = "videobridge.http-servers."
    names = ("health", "version", "prometheus", "debug", "drain", "rtcstats")
    return Rest(
        private_host=config.text(servers + "private.host", "127.0.0.1"),
        private_port=config.whole(servers + "private.port", 8080),
        public_host=config.text(servers + "public.host", "0.0.0.0"),
        public_port=config.whole(servers + "public.port", -1),
        colibri=config.flag("videobridge.apis.rest.enabled", default=False),
        shutdown=config.flag("videobridge.rest.shutdown.enabled", default=False),
        parts=frozenset(
            name for name in names if config.flag(f"videobridge.rest.{name}.enabled", default=True)
        ),
    )
