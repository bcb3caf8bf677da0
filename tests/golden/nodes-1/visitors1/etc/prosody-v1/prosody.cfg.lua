-- Rendered by labctl for vnode v1 on node visitors1; the next 'labctl up' replaces it.

c2s_ports = { 52221 }
s2s_ports = { 52691 }
http_ports = { 52801 }
https_ports = { } -- nginx on the JMS ends TLS; upstream's number would collide from ten vnodes on
http_interfaces = { "192.168.56.201" }
trusted_proxies = { "127.0.0.1", "::1", "192.168.56.105" }

-- Without its own path, all vnodes of this machine would share one account store.
data_path = "/var/lib/prosody-v1"
pidfile = "/run/prosody-v1/prosody.pid"

admins = { "focus@auth.meet.jitsi" }
component_admins_as_room_owners = true

-- Prosody's default garbage collector takes more than half of its CPU time under a crowd; Jitsi's
-- container images use this one.
gc = { mode = "generational" }

network_backend = "epoll"
network_settings = {
    tcp_backlog = 511;
}

-- websocket and bosh are loaded globally.  Only then does Prosody answer for any Host header, and
-- nginx passes on the public name, which is not a host of this process.
modules_enabled = {
    "saslauth";
    "tls";
    "disco";
    "posix";
    "secure_interfaces";
    "tenant_hosts";
    "fresh_secrets";
    "websocket";
    "bosh";
    "s2s_bidi";
    "s2s_whitelist";
    "s2sout_override";
    "certs_s2soutinjection";
}

modules_disabled = {
    "offline";
    "pubsub";
    "register";
}

s2s_whitelist = {
    "conference.meet.lab.internal";
    "visitors.meet.lab.internal";
    "meet.lab.internal";
    "polls.meet.lab.internal";
}

s2sout_override = {
    ["conference.meet.lab.internal"] = "tcp://192.168.56.105:5269";
    ["visitors.meet.lab.internal"] = "tcp://192.168.56.105:5269";
    ["meet.lab.internal"] = "tcp://192.168.56.105:5269";
    ["polls.meet.lab.internal"] = "tcp://192.168.56.105:5269";
}

external_service_secret = "turn-secret"
external_services = {
    { type = "stun", host = "meet.lab.internal", port = 3478, transport = "udp" },
    { type = "turn", host = "meet.lab.internal", port = 3478, transport = "udp", secret = true, ttl = 86400, algorithm = "turn" },
    { type = "turns", host = "meet.lab.internal", port = 5349, transport = "tcp", secret = true, ttl = 86400, algorithm = "turn" },
}

muc_mapper_domain_base = "v1.meet.jitsi"
main_domain = "meet.lab.internal" -- several plugins take this as "I am a vnode"

smacks_max_unacked_stanzas = 5
smacks_hibernation_time = 60
smacks_max_old_sessions = 1

unlimited_jids = { "focus@auth.meet.jitsi" }
s2s_secure_auth = true
consider_websocket_secure = true
consider_bosh_secure = true
bosh_max_inactivity = 60

authentication = "internal_hashed"
storage = "internal"

log = {
    info = "/var/log/prosody-v1/prosody.log";
    error = "/var/log/prosody-v1/prosody.err";
}

plugin_paths = { "/usr/share/jitsi-meet/prosody-plugins/", "/usr/local/lib/prosody/modules" }

ssl = {
    protocol = "tlsv1_2+",
}

VirtualHost "v1.meet.jitsi"
    authentication = "jitsi-anonymous"
    ssl = {
        key = "/etc/prosody-v1/certs/v1.meet.jitsi.key",
        certificate = "/etc/prosody-v1/certs/v1.meet.jitsi.crt",
    }
    modules_enabled = {
        "bosh";
        "ping";
        "external_services";
        "smacks";
        "jiconop";
        "conference_duration";
        "features_identity";
    }
    main_muc = "conference.v1.meet.jitsi"

-- Jicofo logs in here and verifies this host's name in the certificate.
VirtualHost "auth.meet.jitsi"
    ssl = {
        key = "/etc/prosody-v1/certs/v1.meet.jitsi.key",
        certificate = "/etc/prosody-v1/certs/v1.meet.jitsi.crt",
    }
    modules_enabled = {
        "limits_exception";
        "ping";
        "smacks";
    }
    authentication = "internal_hashed"
    smacks_hibernation_time = 15

Component "conference.v1.meet.jitsi" "muc"
    storage = "memory"
    muc_room_cache_size = 10000
    restrict_room_creation = true
    -- The last three are repeated because a component does not inherit them.
    modules_enabled = {
        "muc_hide_all";
        "muc_domain_mapper";
        "muc_meeting_id";
        "fmuc";
        "s2s_bidi";
        "s2s_whitelist";
        "s2sout_override";
    }
    muc_room_default_presence_broadcast = {
        visitor = false;
        participant = true;
        moderator = true;
    };
    muc_room_locking = false
    muc_room_default_public_jids = true

Component "polls.v1.meet.jitsi" "polls_component"
