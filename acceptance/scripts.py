"""The commands that gather a node's facts: POSIX shell, run as root, one per node.

They give their answers in sections (`labctl.node.sections`).  `str.format` fills them in, so that
braces of shell, awk and Lua are doubled.
"""

from __future__ import annotations

LOOP_SECONDS = 300
"""How far back restarts by systemd itself are counted."""

ALL = """
section units; {show} {units}
section init scripts; ls /etc/rc[2345].d 2>/dev/null | sed -n 's/^S[0-9][0-9]//p' | sort -u
section clock; date '+%F %T'
section listeners; ss -tulneH
section passwd; getent passwd | cut -d: -f1,3
section processes; ps -eo user:32=,pid=,args=
section stand-ins; cat /etc/jitsi/STAND-IN 2>/dev/null
section vnode units
systemctl list-units --all --plain --no-legend 'prosody-v@*' | awk '{{print $1}}'
for log in /var/log/prosody*/prosody.err; do
  [ -e "$log" ] && section log "$log" && grep -e 'Error initializing module' \\
    -e 'Unable to load module' -e 'Not loading module' "$log"
done
section restarts
journalctl -b -q --no-pager -o cat _PID=1 --since '-{loop} s' -g 'Scheduled restart job'
section dumps
find / -xdev -maxdepth 5 \\( -path /usr -o -path /proc -o -path /sys \\) -prune -o -type f \\
  \\( -name core -o -name 'core.[0-9]*' -o -name 'core.*.zst' -o -name 'hs_err_pid*.log' \\
     -o -name 'java_pid*.hprof' \\) -print
journalctl -b -q --no-pager -o short-iso _PID=1 -g 'code=dumped|core-dump'
section journal
journalctl -b -q --no-pager -o short-iso -p warning _TRANSPORT=journal _TRANSPORT=stdout \\
  _TRANSPORT=syslog
section login accounts; awk -F: '$2 !~ /^[!*]/ {{ print $1 }}' /etc/shadow
section ssh logins; sshd -T 2>/dev/null | grep -E '^(passwordauth|kbdint|permitempty|permitroot)'
section accounts
find /var/lib/prosody* -path '*/accounts/*.dat' -print -exec cat {{}} \\;
section placeholders
grep -rlE '__[a-zA-Z]+Secret__|changeme|CHANGEME|YOURSECRET' /etc/prosody /etc/prosody-v* \\
  /etc/jitsi /etc/nginx/sites-enabled 2>/dev/null
section readable secrets
runuser -u nobody -- find /etc/prosody /etc/prosody-v* /etc/jitsi /var/lib/prosody* \\
  \\( -name '*.key' -o -name prosody.cfg.lua -o -name '*.dat' -o -name 'jicofo.conf' \\
     -o -name 'jvb.conf' \\) -readable 2>/dev/null
"""

# What a unit logged of errors; sections of one name are read together.
ERRORS = """
section logs; grep -h -E -e '{lines}' {log} 2>/dev/null
"""

# Prosody's configuration is Lua: run it, and print what it says rather than how it is written.
LUA = """
local known = {{ os = os, string = string, table = table, pairs = pairs, ipairs = ipairs }}
local function other() return function() end end
local env = setmetatable({{}}, {{ __index = function(_, name) return known[name] or other end }})
assert(loadfile(arg[1], "t", env))()
for name, address in pairs(rawget(env, "s2sout_override") or {{}}) do print(name, address) end
"""
JMS = """
section nginx test; nginx -t 2>&1
section nginx configuration; nginx -T 2>/dev/null
section jicofo.conf; cat /etc/jitsi/jicofo/jicofo.conf
section jicofo.log; tac /var/log/jitsi/jicofo.log | sed '/Starting Jicofo\\.$/q' | tac |
  grep -F -e 'Added new videobridge' -e 'Registered (' -e 'VisitorsComponentManager' \\
    -e 'ealth check' -e 'health-check timed out'
section jicofo version; {version}
echo
section s2s overrides; cat > /run/labctl-overrides.lua <<'LUA'
{lua}
LUA
lua5.4 /run/labctl-overrides.lua /etc/prosody/prosody.cfg.lua; rm -f /run/labctl-overrides.lua
"""
BRIDGE = """
section jvb.log; grep -F 'Joined MUC:' /var/log/jitsi/jvb.log
section jvb health
curl -s --max-time {patient} -o /run/labctl-health -w '%{{http_code}}' http://127.0.0.1:8080/about/health
echo; cat /run/labctl-health 2>/dev/null; rm -f /run/labctl-health
"""
