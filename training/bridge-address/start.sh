#!/bin/sh
# In HOCON the last value counts.
set -eu
cat >> /etc/jitsi/videobridge/jvb.conf << END
videobridge.ice.advertise-private-candidates = false
ice4j.harvest.mapping.static-mappings = [
  { local-address = "$address", public-address = "$spare" }
]
END
systemctl restart jitsi-videobridge2
