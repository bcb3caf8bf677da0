#!/bin/sh
set -eu
systemctl kill --signal=CONT jitsi-videobridge2
