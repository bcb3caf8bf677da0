# Standard input: lines "path|file|link|unit|user|group<TAB>NAME".  Standard output: sections.
hold
input=$(cat)
section stat
pick path | xargs -r -d '\n' stat -c '%a %U %G %f %n' -- 2>/dev/null || :
section sha256
pick file | xargs -r -d '\n' sha256sum -- 2>/dev/null || :
section link
pick link | while IFS= read -r path; do
    [ ! -L "$path" ] || printf '%s\t%s\n' "$(readlink "$path")" "$path"
done
section unit
pick unit | xargs -r -d '\n' systemctl show --property=LoadState --property=ActiveState \
    --property=SubState --property=UnitFileState --property=NeedDaemonReload \
    --property=ActiveEnterTimestampMonotonic -- || :
section sysv
# UnitFileState is empty for a unit generated from an init script; its links show the state.
ls /etc/rc[2345].d 2>/dev/null | sed -n 's/^S[0-9][0-9]//p' | sort -u
section user
pick user | xargs -r -d '\n' getent passwd | cut -d: -f1 || :
section group
pick group | xargs -r -d '\n' getent group | cut -d: -f1 || :
section listen
listeners
section uptime
cut -d' ' -f1 /proc/uptime
section pending
cat "$dir/pending" 2>/dev/null || :
section manifest
cat "$dir/manifest.json" 2>/dev/null || :
section end
