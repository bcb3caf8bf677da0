#!/bin/sh
set -eu
cat > /root/answers.txt << END
bridge = $note_bridge
moved to = $note_moved_to
people = 3
END
