local main = "meet.x"
plugin_paths = { "/a", "/b" }
unlimited_jids = { "jvb@auth.meet.x"; "focus@auth.meet.x" }
external_service_secret = FileLine("/etc/secret")
limits = { c2s = { rate = "512kb/s" } }
muc_mapper_domain_base = main
log = { { levels = { "error" }; to = "syslog" }, info = "/var/log/x.log" }

VirtualHost(main)
    modules_enabled = { "ping"; "bosh"; "websocket"; "visitors" }
    c2s_require_encryption = false

Component("conference." .. main)("muc")
    storage = "memory"
    password = "another"
