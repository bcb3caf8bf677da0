#!/bin/sh
set -eu
systemctl stop jitsi-videobridge2
