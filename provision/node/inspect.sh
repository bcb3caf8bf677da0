# Standard input: lines "path|file|link|unit|user|group<TAB>NAME".  Standard output: sections.
hold
input=$(cat)
echo '== stat'
pick path | xargs -r -d '\n' stat -c '%a %U %G %f %n' -- 2>/dev/null || :
echo '== sha256'
pick file | xargs -r -d '\n' sha256sum -- 2>/dev/null || :
echo '== link'
pick link | while IFS= read -r path; do
    [ ! -L "$path" ] || printf '%s\t%s\n' "$(readlink "$path")" "$path"
done
echo '== unit'
pick unit | xargs -r -d '\n' systemctl show --property=LoadState --property=ActiveState \
    --property=SubState --property=UnitFileState --property=NeedDaemonReload \
    --property=ActiveEnterTimestampMonotonic -- || :
echo '== sysv'
# UnitFileState of a unit generated from an init script says nothing; its links do.
ls /etc/rc[2345].d 2>/dev/null | sed -n 's/^S[0-9][0-9]//p' | sort -u
echo '== user'
pick user | xargs -r -d '\n' getent passwd | cut -d: -f1 || :
echo '== group'
pick group | xargs -r -d '\n' getent group | cut -d: -f1 || :
echo '== listen'
listeners
echo '== uptime'
cut -d' ' -f1 /proc/uptime
echo '== pending'
cat "$dir/pending" 2>/dev/null || :
echo '== manifest'
cat "$dir/manifest.json" 2>/dev/null || :
echo
echo '== end'
