#!/bin/sh
# A process that is stopped holds its sockets and does nothing, like one that hangs.
set -eu
systemctl kill --signal=STOP jitsi-videobridge2
