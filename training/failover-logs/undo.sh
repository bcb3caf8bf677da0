#!/bin/sh
rm -f /root/answers.txt
