#!/bin/sh
rm -f /root/brewery-password
