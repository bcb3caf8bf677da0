#!/bin/sh
# Brings this node to the state of its seed, which is the folder of this script (provision/fresh.py).
# A node that is in place already is only waited for: its units start when it boots.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
state=/var/lib/labctl
tab=$(printf '\t')
ended=$(mktemp)
trap 'rm -f "$ended"' EXIT

# run SCRIPT: with data on standard input.  A script that ends well leaves a file, because the status
# of a pipe is that of its last program.
run() {
    rm -f "$ended"
    { /bin/sh "$here/$1.sh" && : >"$ended"; } 2>&1 | sed -u '/^wait$/d'
    [ -e "$ended" ] || { printf 'labctl: the step "%s" failed on this node\n' "$2" >&2; exit 1; }
}

# What an interrupted run has begun is done again from the start.
read -r sum <"$here/finish"
if [ ! -s "$state/pending" ] &&
    printf '%s  %s\n' "$sum" "$state/manifest.json" | sha256sum -c --status 2>/dev/null; then
    for data in "$here"/units-*; do
        grep -E "^(unit|port|deadline)$tab" "$data" >"$ended.data"
        run units "${data##*/}" <"$ended.data"
    done
    rm -f "$ended.data"
    printf 'labctl: this node was in place, and its units run\n'
    exit 0
fi

run place place <"$here/place"
[ ! -e "$here/commands" ] || run commands commands <"$here/commands"
for data in "$here"/units-*; do
    run units "${data##*/}" <"$data"
done
run finish finish <"$here/finish"
printf 'labctl: this node is in place, and its units run\n'
