#!/bin/sh
# The node as it is after 'apt install': the package's own file, not one of a lab.
set -eu
config=/etc/jitsi/videobridge/jvb.conf
umask 077
sed -n 's/.*PASSWORD *= *"\([^"]*\)".*/\1/p' "$config" > /root/brewery-password
systemctl disable --now jitsi-videobridge2 2> /dev/null
cat > "$config" << END
videobridge.apis.xmpp-client.configs.shard {
  HOSTNAME = "localhost"
  DOMAIN = "auth.localhost"
  USERNAME = "jvb"
  PASSWORD = "changeme"
  MUC_JIDS = "jvbbrewery@internal.auth.localhost"
  MUC_NICKNAME = "$(cat /proc/sys/kernel/random/uuid)"
}
ice4j.harvest.mapping {
  stun.addresses = []
  aws.enabled = false
}
END
