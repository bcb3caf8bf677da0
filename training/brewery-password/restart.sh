#!/bin/sh
set -eu
systemctl restart jitsi-videobridge2
