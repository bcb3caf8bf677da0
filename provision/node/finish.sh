# Standard input: the manifest's SHA-256 on a line, then the manifest that has been applied.
hold
read -r sum
cat >"$dir/manifest.json.new"
printf '%s  %s\n' "$sum" "$dir/manifest.json.new" | sha256sum -c --status || {
    printf 'failed\tmanifest\tit did not arrive whole\n'
    exit 1
}
mv -f "$dir/manifest.json.new" "$dir/manifest.json"
rm -f "$dir/pending"
