#!/bin/sh
rm -rf /root/renewed
