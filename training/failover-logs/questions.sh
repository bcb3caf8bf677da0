#!/bin/sh
set -eu
cat > /root/answers.txt << 'END'
# Which bridge did Jicofo lose?  Its nick in the brewery.
bridge =
# To which bridge was the call moved?  Its nick.
moved to =
# How many people were in the call?
people =
END
