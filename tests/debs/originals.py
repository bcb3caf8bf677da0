"""Small packages with upstream's names, whose scripts ask and generate what upstream's do.

They hold no program.  What their maintainer scripts do is from docs/facts/packages.md, 2 to 9:
which debconf questions belong to whom, which files are generated, which secrets stand in them,
and that jitsi-meet-prosody ends with status 10 where jitsi-meet-web-config's questions are not
registered.  Every postinst writes what it was told to /var/lib/labctl-test/.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.repository import build_deb

NOTES = "/var/lib/labctl-test"

_HOSTNAME = """\
Template: jitsi-videobridge/jvb-hostname
Type: string
{default}Description: The domain of the installation:
 Shared by all of them.
"""
_JVB_SECRET = """
Template: jitsi-videobridge/jvbsecret
Type: password
Description: Password of the account jvb
 Shared.
"""
_FOCUS_SECRET = """
Template: jicofo/jicofo-authpassword
Type: password
Description: Password of the account focus
 Shared.
"""
_CERT = """
Template: jitsi-meet/cert-choice
Type: select
Choices: Let's Encrypt certificates, I want to use my own certificate, \
Generate a new self-signed certificate
Description: SSL certificate
 Asked by two packages.

Template: jitsi-meet/jvb-hostname
Type: string
Description: for internal use
 Book-keeping.
"""

_BEGIN = f"""\
#!/bin/bash
set -e
. /usr/share/debconf/confmodule
[ "$1" = configure ] || exit 0
mkdir -p {NOTES}
note() {{ echo "$*" >> {NOTES}/notes; }}
secret() {{
    db_get "$1"
    if [ -z "$RET" ]; then
        note "$1 was not answered"
        db_set "$1" "generated-$RANDOM$RANDOM"
        db_get "$1"
    fi
}}
db_get jitsi-videobridge/jvb-hostname
HOST=$RET
note "$DPKG_MAINTSCRIPT_PACKAGE for $HOST"
"""
_END = """
db_stop
exit 0
"""

_JICOFO = """
secret jicofo/jicofo-authpassword
mkdir -p /etc/jitsi/jicofo
printf 'JAVA_SYS_PROPS="-Dconfig.file=/etc/jitsi/jicofo/jicofo.conf"\\n' > /etc/jitsi/jicofo/config
cat > /etc/jitsi/jicofo/jicofo.conf << CONF
jicofo { xmpp { client {
    client-proxy = "focus.$HOST"
    username = focus
    password = "$RET"
} } }
CONF
"""
_JVB = """
secret jitsi-videobridge/jvbsecret
mkdir -p /etc/jitsi/videobridge
printf 'JAVA_SYS_PROPS=""\\n' > /etc/jitsi/videobridge/config
cat > /etc/jitsi/videobridge/jvb.conf << CONF
videobridge { apis { xmpp-client { configs { shard {
    HOSTNAME = localhost
    PASSWORD = "$RET"
    MUC_NICKNAME = $(cat /proc/sys/kernel/random/uuid)
} } } } }
CONF
"""
_PROSODY = """
# 30 is "not shown"; any other status ends the script, and 10 is "no such question".
db_input critical jitsi-meet/cert-choice || { code=$?; [ $code -eq 30 ] || exit $code; }
db_go || true
db_get jitsi-meet/cert-choice
note "cert-choice for prosody: $RET"
secret jicofo/jicofo-authpassword; FOCUS=$RET
secret jitsi-videobridge/jvbsecret; JVB=$RET
mkdir -p /etc/prosody/conf.avail /etc/prosody/conf.d /etc/prosody/certs
printf 'VirtualHost "%s"\\n    turn_secret = "%s"\\n' "$HOST" "generated-turn-secret" \
    > "/etc/prosody/conf.avail/$HOST.cfg.lua"
ln -sf "../conf.avail/$HOST.cfg.lua" "/etc/prosody/conf.d/$HOST.cfg.lua"
openssl req -new -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=auth.$HOST" \
    -keyout "/var/lib/prosody/auth.$HOST.key" -out "/var/lib/prosody/auth.$HOST.crt" 2>/dev/null
ln -sf "/var/lib/prosody/auth.$HOST.key" "/etc/prosody/certs/auth.$HOST.key"
ln -sf "/var/lib/prosody/auth.$HOST.crt" "/usr/local/share/ca-certificates/auth.$HOST.crt"
update-ca-certificates -f > /dev/null 2>&1
ACCOUNTS=/var/lib/prosody/auth%2eimage/accounts
mkdir -p $ACCOUNTS
printf 'return { ["password"] = "%s" }\\n' "$FOCUS" > $ACCOUNTS/focus.dat
printf 'return { ["password"] = "%s" }\\n' "$JVB" > $ACCOUNTS/jvb.dat
invoke-rc.d prosody restart || true
if pgrep -u prosody > /dev/null; then note "prosody was started"; fi
"""
_WEB = """
db_get jitsi-meet/jvb-hostname
if [ -n "$RET" ]; then
    note "web-config was configured before"
else
    db_get jitsi-meet/cert-choice
    note "cert-choice for the web: $RET"
    mkdir -p /etc/jitsi/meet /etc/nginx/sites-available /etc/nginx/sites-enabled
    echo "var config = {};" > "/etc/jitsi/meet/$HOST-config.js"
    openssl req -new -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$HOST" \
        -keyout "/etc/jitsi/meet/$HOST.key" -out "/etc/jitsi/meet/$HOST.crt" 2>/dev/null
    echo "server { server_name $HOST; }" > "/etc/nginx/sites-available/$HOST.conf"
    ln -sf "/etc/nginx/sites-available/$HOST.conf" "/etc/nginx/sites-enabled/$HOST.conf"
    db_set jitsi-meet/jvb-hostname "$HOST"
fi
"""

_CONFIG = """\
#!/bin/sh
set -e
. /usr/share/debconf/confmodule
db_input critical jitsi-videobridge/jvb-hostname || true
db_go || true
"""

# package -> (what it depends on, its templates, the middle of its postinst, whether it asks first)
_SOURCES: Mapping[str, tuple[str, str, str, bool]] = {
    "jicofo": ("debconf", _HOSTNAME.format(default="") + _FOCUS_SECRET, _JICOFO, False),
    "jitsi-videobridge2": (
        "debconf",
        _HOSTNAME.format(default="Default: localhost\n") + _JVB_SECRET,
        _JVB,
        True,
    ),
    "jitsi-meet-prosody": (
        "debconf, openssl, prosody (>= 0.12.0), lua-basexx, lua-inspect",
        _HOSTNAME.format(default="") + _JVB_SECRET + _FOCUS_SECRET,
        _PROSODY,
        True,
    ),
    "jitsi-meet-web-config": (
        "debconf, openssl",
        _HOSTNAME.format(default="") + _CERT,
        _WEB,
        True,
    ),
    "jitsi-meet-web": ("", "", "", False),
}


def build_original(
    folder: Path, name: str, *, version: str = "1.0-1200-1", fails: str | None = None
) -> Path:
    """Build one of them; `fails` is a line of shell at which its postinst comes to its end."""
    depends, templates, middle, asks = _SOURCES[name]
    scripts = {}
    if templates:
        middle = f"{fails}\n{middle}" if fails else middle
        scripts = {"templates": templates, "postinst": _BEGIN + middle + _END}
    if asks:
        scripts["config"] = _CONFIG
    fields = f"Depends: {depends}\n" if depends else ""
    return build_deb(folder, name, version=version, fields=fields, scripts=scripts)


def build_originals(folder: Path, *, version: str = "1.0-1200-1") -> list[Path]:
    """Build all five."""
    return [build_original(folder, name, version=version) for name in _SOURCES]
