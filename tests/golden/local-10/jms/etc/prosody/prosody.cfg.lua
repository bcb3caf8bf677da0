-- Rendered by labctl for node jms; the next 'labctl up' replaces it.
-- First Debian's server-wide part, then what jitsi-meet-prosody generates for conf.example.org,
-- then what visitors need on top of it.

---------- Server-wide settings (Debian) ----------
admins = { }

-- The s2s modules below are loaded as soon as the server starts, so this path is global.
plugin_paths = { "/usr/share/jitsi-meet/prosody-plugins/", "/usr/local/lib/prosody/modules" }

modules_enabled = {
    "disco";
    "roster";
    "saslauth";
    "tls";
    "blocklist";
    "bookmarks";
    "carbons";
    "dialback";
    "limits";
    "pep";
    "private";
    "smacks";
    "vcard4";
    "vcard_legacy";
    "account_activity";
    "cloud_notify";
    "csi_simple";
    "invites";
    "invites_adhoc";
    "invites_register";
    "ping";
    "register";
    "time";
    "uptime";
    "version";
    "admin_adhoc";
    "admin_shell";
    "posix";
    "tenant_hosts";
    "fresh_secrets";
    -- visitors: reach the vnodes by address, and connect to nobody else
    "s2s_bidi";
    "certs_s2soutinjection";
    "s2sout_override";
    "s2s_whitelist";
}

modules_disabled = { }

pidfile = "/run/prosody/prosody.pid";

-- Prosody's default garbage collector takes more than half of its CPU time under a crowd; Jitsi's
-- container images use this one.
gc = { mode = "generational" }

s2s_secure_auth = true

-- With Debian's 10kb/s and 30kb/s, a visitor sees only some of the participants.  Jitsi's own
-- production uses these values.
limits = {
    c2s = { rate = "512kb/s"; };
    s2sin = { rate = "512kb/s"; };
}

authentication = "internal_hashed"
archive_expires_after = "1w"

log = {
    info = "/var/log/prosody/prosody.log";
    error = "/var/log/prosody/prosody.err";
    { levels = { "error" }; to = "syslog"; };
}

certificates = "certs"

---------- Server-wide settings (jitsi-meet-prosody) ----------
component_admins_as_room_owners = true -- Prosody 13: without it Jicofo owns no room

muc_mapper_domain_base = "conf.example.org"

external_service_secret = "turn-secret"
external_services = {
    { type = "stun", host = "conf.example.org", port = 3478, transport = "udp" },
    { type = "turn", host = "conf.example.org", port = 3478, transport = "udp", secret = true, ttl = 86400, algorithm = "turn" },
    { type = "turns", host = "conf.example.org", port = 5349, transport = "tcp", secret = true, ttl = 86400, algorithm = "turn" },
}

consider_bosh_secure = true
consider_websocket_secure = true
http_interfaces = { "127.0.0.1" } -- nginx is the only client; a container may have no ::1
https_ports = { } -- and it ends TLS
http_default_host = "conf.example.org"

ssl = {
    protocol = "tlsv1_2+",
}

unlimited_jids = { "focus@auth.conf.example.org", "jvb@auth.conf.example.org" }

smacks_max_unacked_stanzas = 5
smacks_hibernation_time = 60
smacks_max_old_sessions = 1

---------- Server-wide settings (visitors) ----------
-- Targets are addresses, never host names.
s2sout_override = {
    ["conference.v1.meet.jitsi"] = "tcp://127.0.0.1:52691";
    ["v1.meet.jitsi"] = "tcp://127.0.0.1:52691";
    ["polls.v1.meet.jitsi"] = "tcp://127.0.0.1:52691";
    ["conference.v2.meet.jitsi"] = "tcp://127.0.0.1:52692";
    ["v2.meet.jitsi"] = "tcp://127.0.0.1:52692";
    ["polls.v2.meet.jitsi"] = "tcp://127.0.0.1:52692";
    ["conference.v3.meet.jitsi"] = "tcp://127.0.0.1:52693";
    ["v3.meet.jitsi"] = "tcp://127.0.0.1:52693";
    ["polls.v3.meet.jitsi"] = "tcp://127.0.0.1:52693";
    ["conference.v4.meet.jitsi"] = "tcp://127.0.0.1:52694";
    ["v4.meet.jitsi"] = "tcp://127.0.0.1:52694";
    ["polls.v4.meet.jitsi"] = "tcp://127.0.0.1:52694";
    ["conference.v5.meet.jitsi"] = "tcp://127.0.0.1:52695";
    ["v5.meet.jitsi"] = "tcp://127.0.0.1:52695";
    ["polls.v5.meet.jitsi"] = "tcp://127.0.0.1:52695";
    ["conference.v6.meet.jitsi"] = "tcp://127.0.0.1:52696";
    ["v6.meet.jitsi"] = "tcp://127.0.0.1:52696";
    ["polls.v6.meet.jitsi"] = "tcp://127.0.0.1:52696";
    ["conference.v7.meet.jitsi"] = "tcp://127.0.0.1:52697";
    ["v7.meet.jitsi"] = "tcp://127.0.0.1:52697";
    ["polls.v7.meet.jitsi"] = "tcp://127.0.0.1:52697";
    ["conference.v8.meet.jitsi"] = "tcp://127.0.0.1:52698";
    ["v8.meet.jitsi"] = "tcp://127.0.0.1:52698";
    ["polls.v8.meet.jitsi"] = "tcp://127.0.0.1:52698";
    ["conference.v9.meet.jitsi"] = "tcp://127.0.0.1:52699";
    ["v9.meet.jitsi"] = "tcp://127.0.0.1:52699";
    ["polls.v9.meet.jitsi"] = "tcp://127.0.0.1:52699";
    ["conference.v10.meet.jitsi"] = "tcp://127.0.0.1:52700";
    ["v10.meet.jitsi"] = "tcp://127.0.0.1:52700";
    ["polls.v10.meet.jitsi"] = "tcp://127.0.0.1:52700";
}

s2s_whitelist = {
    "conference.v1.meet.jitsi";
    "polls.v1.meet.jitsi";
    "conference.v2.meet.jitsi";
    "polls.v2.meet.jitsi";
    "conference.v3.meet.jitsi";
    "polls.v3.meet.jitsi";
    "conference.v4.meet.jitsi";
    "polls.v4.meet.jitsi";
    "conference.v5.meet.jitsi";
    "polls.v5.meet.jitsi";
    "conference.v6.meet.jitsi";
    "polls.v6.meet.jitsi";
    "conference.v7.meet.jitsi";
    "polls.v7.meet.jitsi";
    "conference.v8.meet.jitsi";
    "polls.v8.meet.jitsi";
    "conference.v9.meet.jitsi";
    "polls.v9.meet.jitsi";
    "conference.v10.meet.jitsi";
    "polls.v10.meet.jitsi";
}

---------- Hosts ----------
VirtualHost "conf.example.org"
    authentication = "jitsi-anonymous"
    ssl = {
        key = "/etc/prosody/certs/conf.example.org.key",
        certificate = "/etc/prosody/certs/conf.example.org.crt",
    }
    modules_enabled = {
        "bosh";
        "websocket";
        "smacks";
        "ping";
        "external_services";
        "features_identity";
        "conference_duration";
        "muc_lobby_rooms";
        "muc_breakout_rooms";
        "visitors";
    }
    c2s_require_encryption = false
    main_muc = "conference.conf.example.org"
    lobby_muc = "lobby.conf.example.org"
    breakout_rooms_muc = "breakout.conf.example.org"
    admins = { "focus@auth.conf.example.org" }
    muc_lobby_whitelist = { "recorder.conf.example.org" }
    visitors_ignore_list = { "recorder.conf.example.org" }

Component "conference.conf.example.org" "muc"
    restrict_room_creation = true
    storage = "memory"
    modules_enabled = {
        "muc_hide_all";
        "muc_meeting_id";
        "muc_domain_mapper";
        "muc_rate_limit";
        "muc_password_whitelist";
        -- The history, and visitors' words to other vnodes, come from this component; it inherits
        -- none of these.  Without them it asks DNS for the vnode, and they are lost.
        "s2s_bidi";
        "s2s_whitelist";
        "s2sout_override";
    }
    admins = { "focus@auth.conf.example.org" }
    muc_password_whitelist = { "focus@auth.conf.example.org" }
    muc_room_locking = false
    muc_room_default_public_jids = true

Component "breakout.conf.example.org" "muc"
    restrict_room_creation = true
    storage = "memory"
    -- The packaged file also names "polls" here, a module that is no longer shipped.  Its only
    -- effect is an error line in prosody.err at every start.
    modules_enabled = {
        "muc_hide_all";
        "muc_meeting_id";
        "muc_domain_mapper";
        "muc_rate_limit";
    }
    admins = { "focus@auth.conf.example.org" }
    muc_room_locking = false
    muc_room_default_public_jids = true

-- The brewery, where the bridges announce themselves to Jicofo.
Component "internal.auth.conf.example.org" "muc"
    restrict_room_creation = true
    storage = "memory"
    modules_enabled = {
        "muc_hide_all";
        "ping";
    }
    admins = { "focus@auth.conf.example.org", "jvb@auth.conf.example.org" }
    muc_room_locking = false
    -- Not in upstream's file: there, everybody who may chat can look in and pose as a bridge.
    muc_room_default_members_only = true
    muc_room_default_public_jids = true

VirtualHost "auth.conf.example.org"
    ssl = {
        key = "/etc/prosody/certs/auth.conf.example.org.key",
        certificate = "/etc/prosody/certs/auth.conf.example.org.crt",
    }
    modules_enabled = {
        "limits_exception";
        "smacks";
    }
    authentication = "internal_hashed"
    smacks_hibernation_time = 15

VirtualHost "recorder.conf.example.org"
    modules_enabled = {
        "smacks";
    }
    authentication = "internal_hashed"
    smacks_max_old_sessions = 2000

Component "focus.conf.example.org" "client_proxy"
    target_address = "focus@auth.conf.example.org"

Component "speakerstats.conf.example.org" "speakerstats_component"
    muc_component = "conference.conf.example.org"

Component "endconference.conf.example.org" "end_conference"
    muc_component = "conference.conf.example.org"

Component "lobby.conf.example.org" "muc"
    storage = "memory"
    restrict_room_creation = true
    muc_room_locking = false
    muc_room_default_public_jids = true
    modules_enabled = {
        "muc_hide_all";
        "muc_rate_limit";
    }

Component "avmoderation.conf.example.org" "av_moderation_component"
    muc_component = "conference.conf.example.org"

Component "filesharing.conf.example.org" "filesharing_component"
    muc_component = "conference.conf.example.org"

Component "metadata.conf.example.org" "room_metadata_component"
    muc_component = "conference.conf.example.org"
    breakout_rooms_component = "breakout.conf.example.org"

Component "polls.conf.example.org" "polls_component"

Component "visitors.conf.example.org" "visitors_component"
    auto_allow_visitor_promotion = true
    admins = { "focus@auth.conf.example.org" }
