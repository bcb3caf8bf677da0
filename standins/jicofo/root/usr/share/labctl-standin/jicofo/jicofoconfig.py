"""The settings of the stand-in Jicofo; defaults are those of the original's reference.conf.

Unknown keys are ignored, as there.  Times in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hocon import Config, ConfigError, Json
from stanzas import normalise
from xmppstream import Account, Security


@dataclass(frozen=True, slots=True)
class VnodeConfig:
    """A visitor Prosody: its name, its login, the domain of its rooms."""

    name: str
    account: Account
    xmpp_domain: str


@dataclass(frozen=True, slots=True)
class XmppConfig:
    """The main connection and the vnodes."""

    account: Account
    xmpp_domain: str
    client_proxy: str | None
    vnodes: tuple[VnodeConfig, ...]


@dataclass(frozen=True, slots=True)
class BridgeSettings:
    """Brewery, selection and health checks."""

    brewery: str | None
    selection: str
    participant_selection: str
    visitor_selection: str
    octo: bool
    allow_mixed: bool
    max_participants: int
    participant_stress: float
    rampup: float
    stress_threshold: float
    failure_reset: float
    region_groups: tuple[frozenset[str], ...]
    health_enabled: bool
    health_interval: float
    health_retry: float
    health_presence: bool
    sctp: bool


@dataclass(frozen=True, slots=True)
class VisitorSettings:
    """When participants become visitors."""

    enabled: bool
    max_participants: int
    max_per_node: int
    notification_interval: float
    auto_broadcast: bool
    require_flag: bool
    live_room: bool
    join_latency: float


@dataclass(frozen=True, slots=True)
class ConferenceSettings:
    """Lifetime and rules of conferences."""

    initial_timeout: float
    single_timeout: float
    min_participants: int
    auto_owner: bool
    ssrc_rewriting: bool
    strip_simulcast: bool


@dataclass(frozen=True, slots=True)
class JicofoConfig:
    """Everything the stand-in reads."""

    xmpp: XmppConfig
    bridge: BridgeSettings
    visitors: VisitorSettings
    conference: ConferenceSettings
    login_domain: str | None
    """Whose accounts may begin conferences; None where everybody may."""
    rest_enabled: bool
    rest_host: str
    rest_port: int
    health_enabled: bool


def parse_config(config: Config, legacy: Mapping[str, str]) -> JicofoConfig:
    """The settings; raises ConfigError when a value has the wrong shape or a needed one lacks."""
    return JicofoConfig(
        xmpp=_xmpp(config),
        bridge=_bridge(config, legacy),
        visitors=_visitors(config),
        conference=_conference(config),
        login_domain=_login_domain(config),
        rest_enabled=config.flag("jicofo.rest.enabled", default=True),
        rest_host=config.text("jicofo.rest.host", "127.0.0.1"),
        rest_port=config.whole("jicofo.rest.port", 8888),
        health_enabled=config.flag("jicofo.health.enabled", default=False),
    )


def _account(config: Config, *, needs_host: bool) -> Account:
    host = config.text("hostname", "" if needs_host else "localhost")
    if not host:
        raise ConfigError("hostname is missing")
    username = config.text("username", "focus")
    tls = config.flag("use-tls", default=True)
    return Account(
        host=host,
        port=config.whole("port", 5222),
        domain=config.text("domain", host),
        username=username,
        password=config.text("password") or None,
        resource=config.text("resource", username),
        # Smack's ifpossible: a server on the loopback may do without TLS (mod_secure_interfaces).
        security=Security.IF_POSSIBLE if tls else Security.DISABLED,
        verify=not config.flag("disable-certificate-verification", default=False),
    )


def _xmpp(config: Config) -> XmppConfig:
    client = Config(config.section("jicofo.xmpp.client"))
    account = _account(client, needs_host=False)
    proxy = client.text("client-proxy")
    vnodes = config.section("jicofo.xmpp.visitors")
    return XmppConfig(
        account=account,
        xmpp_domain=client.text("xmpp-domain", account.domain),
        client_proxy=normalise(proxy) if proxy else None,
        vnodes=tuple(
            vnode
            for name, values in vnodes.items()
            if isinstance(values, dict) and (vnode := _vnode(name, values)) is not None
        ),
    )


def _vnode(name: str, values: dict[str, Json]) -> VnodeConfig | None:
    config = Config(values)
    if not config.flag("enabled", default=True):
        return None
    try:
        account = _account(config, needs_host=True)
        if not config.text("conference-service"):
            raise ConfigError("conference-service is missing")
    except ConfigError as error:
        raise ConfigError(f"jicofo.xmpp.visitors.{name}: {error}") from error
    domain = config.text("xmpp-domain")
    if not domain:
        raise ConfigError(f"visitor domain not configured for {name}")
    return VnodeConfig(name, account, domain)


def _bridge(config: Config, legacy: Mapping[str, str]) -> BridgeSettings:
    base, health = "jicofo.bridge.", "jicofo.bridge.health-checks."
    brewery = legacy.get("org.jitsi.jicofo.BRIDGE_MUC") or config.text(base + "brewery-jid")
    groups = config.get(base + "region-groups")
    interval = config.seconds(health + "interval", 10.0)
    return BridgeSettings(
        brewery=normalise(brewery) if brewery else None,
        selection=config.text(base + "selection-strategy", "SingleBridgeSelectionStrategy"),
        participant_selection=config.text(
            base + "participant-selection-strategy", "RegionBasedBridgeSelectionStrategy"
        ),
        visitor_selection=config.text(
            base + "visitor-selection-strategy", "RegionBasedBridgeSelectionStrategy"
        ),
        octo=config.flag("jicofo.octo.enabled", default=False),
        allow_mixed=config.flag("jicofo.octo.allow-mixed-versions", default=False),
        max_participants=config.whole(base + "max-bridge-participants", 80),
        participant_stress=config.number(base + "average-participant-stress", 0.01),
        rampup=config.seconds(base + "participant-rampup-interval", 20.0),
        stress_threshold=config.number(base + "stress-threshold", 0.8),
        failure_reset=config.seconds(base + "failure-reset-threshold", 60.0),
        region_groups=tuple(
            frozenset(str(region) for region in group)
            for group in (groups if isinstance(groups, list) else [])
            if isinstance(group, list)
        ),
        health_enabled=config.flag(health + "enabled", default=True),
        health_interval=interval,
        health_retry=config.seconds(health + "retry-delay", interval / 2),
        health_presence=config.flag(health + "use-presence", default=False),
        sctp=config.flag("jicofo.sctp.enabled", default=True),
    )


def _login_domain(config: Config) -> str | None:
    base = "jicofo.authentication."
    if not config.flag(base + "enabled", default=False):
        return None
    if config.text(base + "type", "NONE").upper() != "XMPP":
        return None  # JWT and external logins: nothing stands behind them here
    return normalise(config.text(base + "login-url"))


def _visitors(config: Config) -> VisitorSettings:
    base = "jicofo.visitors."
    return VisitorSettings(
        enabled=config.flag(base + "enabled", default=False),
        max_participants=config.whole(base + "max-participants", 50),
        max_per_node=config.whole(base + "max-visitors-per-node", 500),
        notification_interval=config.seconds(base + "notification-interval", 15.0),
        auto_broadcast=config.flag(base + "auto-enable-broadcast", default=True),
        require_flag=config.flag(base + "require-muc-config-flag", default=False),
        live_room=config.flag(base + "enable-live-room", default=False),
        join_latency=config.seconds(base + "vnode-join-latency-interval", 60.0),
    )


def _conference(config: Config) -> ConferenceSettings:
    base = "jicofo.conference."
    return ConferenceSettings(
        initial_timeout=config.seconds(base + "initial-timeout", 15.0),
        single_timeout=config.seconds(base + "single-participant-timeout", 20.0),
        min_participants=config.whole(base + "min-participants", 2),
        auto_owner=config.flag(base + "enable-auto-owner", default=True),
        ssrc_rewriting=config.flag(base + "use-ssrc-rewriting", default=True),
        strip_simulcast=config.flag(base + "strip-simulcast", default=True),
    )
