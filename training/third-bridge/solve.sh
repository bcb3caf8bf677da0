#!/bin/sh
set -eu
cat > /etc/jitsi/videobridge/jvb.conf << END
videobridge {
  apis.xmpp-client.configs.shard {
    HOSTNAME = "$jms"
    DOMAIN = "auth.$domain"
    USERNAME = jvb
    PASSWORD = "$(cat /root/brewery-password)"
    MUC_JIDS = "jvbbrewery@internal.auth.$domain"
    MUC_NICKNAME = "jvb2"
  }
  health.require-valid-address = false
}
ice4j.harvest.mapping {
  stun.addresses = []
  aws.enabled = false
}
END
systemctl enable jitsi-videobridge2 2> /dev/null
systemctl restart jitsi-videobridge2
