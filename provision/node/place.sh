# Standard input: a tar archive in base64 with `sums`, `plan` and the files by number.
# Everything is staged and checked before the first path changes; files change by rename.
hold
rm -rf /run/labctl-place.*
stage=$(mktemp -d /run/labctl-place.XXXXXX)
base64 -d | tar -xz -C "$stage" || { printf 'failed\tarchive\tit did not arrive whole\n'; exit 1; }
(cd "$stage" && sha256sum -c --quiet --strict sums >/dev/null 2>&1) || {
    printf 'failed\tarchive\tit did not arrive whole\n'
    exit 1
}
input=$(cat "$stage/plan")

# Record what is about to change, so that the next run can finish if this one is killed.
{ cat "$dir/pending" 2>/dev/null || :; pick dirty; } | sort -u >"$dir/pending.new"
mv -f "$dir/pending.new" "$dir/pending"

pick mkdir | while IFS=$tab read -r mode owner group path; do
    [ -d "$path" ] || install -d -m "$mode" -o "$owner" -g "$group" -- "$path"
done
pick dir | while IFS=$tab read -r mode owner group path; do
    install -d -m "$mode" -o "$owner" -g "$group" -- "$path"
done
pick file | while IFS=$tab read -r number mode owner group path; do
    install -m "$mode" -o "$owner" -g "$group" -T -- \
        "$stage/$number" "${path%/*}/.labctl-new.${path##*/}"
done

stale=$(pick stop)
if [ -n "$stale" ]; then
    # A unit whose file has already gone cannot be disabled, only stopped.
    printf '%s\n' "$stale" | xargs -d '\n' systemctl disable --quiet -- 2>/dev/null || :
    printf '%s\n' "$stale" | xargs -d '\n' systemctl stop -- 2>/dev/null || :
    for unit in $stale; do
        ! systemctl is-active --quiet "$unit" || {
            printf 'failed\t%s\tit cannot be stopped\n' "$unit"
            exit 1
        }
        systemctl reset-failed --quiet "$unit" 2>/dev/null || :
    done
fi
pick remove | xargs -r -d '\n' rm -f --
pick file | while IFS=$tab read -r number mode owner group path; do
    mv -f -T -- "${path%/*}/.labctl-new.${path##*/}" "$path"
done
pick link | while IFS=$tab read -r target path; do
    ln -sfn -- "$target" "${path%/*}/.labctl-new.${path##*/}"
    mv -f -T -- "${path%/*}/.labctl-new.${path##*/}" "$path"
done
pick rmdir | xargs -r -d '\n' rmdir --ignore-fail-on-non-empty -- 2>/dev/null || :
names=$(pick enable)
[ -z "$names" ] || {
    # For each unit that also has an init script, Debian's scripts tell systemd twice to read all
    # units again, which costs more than most units' start.  Once, below, is enough.
    said=$(printf '%s\n' "$names" | SYSTEMD_OFFLINE=1 xargs -d '\n' systemctl enable --quiet -- 2>&1) || {
        printf '%s\n' "$said" | sed "s/^/said${tab}enable$tab/"
        refusals enable
        printf 'failed\tunits\tthey cannot be enabled\n'
        exit 1
    }
}
[ -z "$(pick daemon-reload)" ] || systemctl daemon-reload
