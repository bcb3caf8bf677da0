# One stage of units.  Standard input: lines "restart|reload|start|unit<TAB>UNIT",
# "port<TAB>PORT<TAB>UNIT", "deadline<TAB>SECONDS".  One systemctl call for each verb; then waits
# until every unit is active and owns its ports, or says what is wrong.
hold
input=$(cat)
# A service that has ended so often will not stay up either.  Once may be chance, or a port that
# its predecessor has not left yet.
MOST_RESTARTS=3
units=$(pick unit)
nl='
'
now() { read -r up _ </proc/uptime; echo "${up%.*}"; }

# Whether anybody listens on every port of this stage.  One small program: it is asked again and
# again while the units that start need the processors.
sockets=$(ls /proc/net/tcp /proc/net/tcp6 2>/dev/null || :)
ports=$(pick port | while IFS=$tab read -r port _; do printf '%04X ' "$port"; done)
heard() {
    # shellcheck disable=SC2086  # two paths
    awk -v ports="$ports" '
        $4 == "0A" { sub(/.*:/, "", $2); open[$2] }
        END { n = split(ports, port, " "); while (n) if (!(port[n--] in open)) exit 1 }
    ' $sockets
}

states() { printf '%s\n' "$units" | xargs -d '\n' systemctl is-active -- || :; }

# Lines "inactive<TAB>UNIT<TAB>STATE" and "closed<TAB>UNIT<TAB>PORT<TAB>HOLDER".
problems() {
    {
        printf '%s\n' "$units" | sed "s/^/unit$tab/"
        states | sed "s/^/state$tab/"
        listeners | sed "s/^/listen$tab/"
        pick port | sed "s/^/port$tab/"
    } | awk -F '\t' -v OFS='\t' '
        $1 == "unit" { name[++names] = $2 }
        $1 == "state" { state[++n] = $2 }
        $1 == "listen" { owner[$2, $4] = 1; holder[$2] = $5 " (unit " $4 ")" }
        $1 == "port" && !(($2, $3) in owner) && !(($2, "?") in owner) {
            closed[++c] = "closed" OFS $3 OFS $2 OFS (($2 in holder) ? holder[$2] : "-")
        }
        END {
            for (i = 1; i <= names; i++)
                if (state[i] != "active" && state[i] != "reloading")
                    print "inactive", name[i], state[i]
            for (i = 1; i <= c; i++) print closed[i]
        }'
}

# Lines "UNIT<TAB>N": how often systemd has started each service again by itself.
restarts() {
    printf '%s\n' "$units" | xargs -d '\n' systemctl show -p Id -p NRestarts -- |
        awk -F= -v OFS='\t' '$1 == "Id" { id = $2 } $1 == "NRestarts" { n = $2 }
            $0 == "" && id { print id, n + 0; id = n = "" } END { if (id) print id, n + 0 }'
}

# Lines "looping<TAB>UNIT<TAB>N" for services that have ended N times since this script waits.
looping() {
    {
        printf '%s\n' "$before" | sed "s/^/before$tab/"
        restarts
    } | awk -F '\t' -v OFS='\t' -v most=$MOST_RESTARTS '
        $1 == "before" { before[$2] = $3; next }
        ($1 in before) && $2 - before[$1] >= most { print "looping", $1, $2 - before[$1] }'
}

explain() {
    printf '%s\n' "$1"
    printf '%s\n' "$1" | cut -f2 | sort -u | while IFS= read -r unit; do
        { systemctl status --no-pager --full --lines=0 -- "$unit" | grep -E '(Active|Process):' || :
          journalctl --no-pager --quiet --output=cat --lines=15 --unit="$unit" || :
        } 2>&1 | sed "s/^/log$tab$unit$tab/"
    done
}

failed=
refused=
for verb in restart reload start; do
    names=$(pick "$verb")
    [ -n "$names" ] || continue
    # systemd does not start a unit that has failed too often until its state is reset.
    [ "$verb" = reload ] ||
        printf '%s\n' "$names" | xargs -d '\n' systemctl reset-failed -- 2>/dev/null || :
    code=0
    said=$(printf '%s\n' "$names" | xargs -d '\n' systemctl "$verb" -- 2>&1) || code=$?
    [ "$code" = 0 ] || {
        failed=1
        printf '%s\n' "$said" | sed "s/^/said$tab$verb$tab/"
        refused="$refused${refused:+$nl}$(refusals "$verb")"
    }
done

end=$(($(now) + $(pick deadline)))
rounds=0
waited=
before=
while :; do
    # A full check costs ten times as much: only when the ports are open, and now and then.
    if [ "$rounds" = 0 ] || heard; then
        rounds=10
        found=$(problems)
        [ -n "$found$failed" ] || exit 0
        case $found in *"${tab}failed"*) failed=1 ;; esac
        # Most units need less than the first second, and are not asked.
        if [ -z "$waited" ]; then
            waited=1
        elif [ -z "$before" ]; then
            before=$(restarts)
        else
            again=$(looping)
            [ -z "$again" ] || { failed=1 found="$again$nl$found"; }
        fi
        # After a failure, waiting is useless.  The port of a unit that is still starting is no failure.
        [ -z "$failed" ] || {
            found=$(printf '%s\n%s\n' "$refused" "$found" | grep -v "^closed$tab.*$tab-\$" || :)
            break
        }
        [ "$(now)" -lt "$end" ] || break
        # Also tells this script that nobody listens any more: writing then ends it.
        printf 'wait\n'
    fi
    rounds=$((rounds - 1))
    sleep 0.1
done
found=$(printf '%s\n' "$found" | grep . || :)
[ -z "$found" ] || explain "$found"
exit 1
