-- As a package generates it: options before the first host are global.
plugin_paths = { "/b", "/a" }
unlimited_jids = { "focus@auth.meet.x", "jvb@auth.meet.x" }
external_service_secret = "never shown"
limits = { c2s = { rate = "10kb/s" } }
muc_mapper_domain_base = "meet.x"
log = { info = "/var/log/x.log"; { levels = { "error" }; to = "syslog" } }
Include "conf.d/*.cfg.lua"

VirtualHost "Meet.X"
    modules_enabled = { "bosh"; "websocket"; "ping" }
    c2s_require_encryption = false

Component "conference.meet.x" "muc"
    storage = "memory"
    password = 'neither shown'

Component "polls.meet.x" "polls_component" { size = 2 ^ 3 }
