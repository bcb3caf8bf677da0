#!/bin/sh
set -eu
systemctl start jitsi-videobridge2
