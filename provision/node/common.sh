# Comes before every other script here.  Data arrives on standard input, never in argv, because
# the argument list of a process is public.
set -eu
umask 077
export LC_ALL=C
tab=$(printf '\t')
dir=/var/lib/labctl
stage=
trap '[ -z "$stage" ] || rm -rf "$stage"' EXIT

# One script at a time: wait for one that a killed run has left behind.
hold() {
    mkdir -p "$dir"
    exec 9>"$dir/lock"
    flock -w 40 9 || { printf 'failed\tlock\tanother provisioning run holds this node\n'; exit 1; }
}

# pick KIND: what follows KIND and a tab in the lines of $input.
pick() { printf '%s\n' "$input" | sed -n "s/^$1$tab//p"; }

# refusals VERB: lines for those of $names that systemctl names in $said.
refusals() {
    for unit in $names; do
        case $said in *"$unit"*) printf 'refused\t%s\t%s\n' "$unit" "$1" ;; esac
    done
}

# Listening TCP sockets: port, local address, unit, process.  The unit comes from the cgroup that
# the kernel noted for the socket, because inside a container even root may not see whose process
# holds it.  The unit "-" means none, and "?" one that the kernel does not report.
listeners() {
    ss -ltnpeH | awk -v OFS='\t' '{
        port = address = $4; sub(/.*:/, "", port); sub(/:[^:]*$/, "", address)
        unit = "?"; who = "an unknown process"
        if (match($0, / cgroup:[^ ]*/)) {
            unit = substr($0, RSTART + 8, RLENGTH - 8)
            if (!match(unit, /[^\/]*\.service(\/[^.]*)?$/)) unit = "-"
            else { unit = substr(unit, RSTART); sub(/\/.*/, "", unit) }
        }
        if (match($0, / uid:[0-9]+/)) who = "a process of " substr($0, RSTART + 1, RLENGTH - 1)
        if (match($0, /users:[^ ]*/)) who = substr($0, RSTART, RLENGTH)
        print port, address, unit, who
    }'
}
