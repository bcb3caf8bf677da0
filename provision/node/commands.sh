# Standard input: one command per line.  They run in order, until one fails.
hold
umask 022
input=$(cat)
printf '%s\n' "$input" | while IFS= read -r command; do
    code=0
    sh -c "$command" </dev/null 2>&1 || code=$?
    [ "$code" = 0 ] || { printf 'failed\t%s\texit status %s\n' "$command" "$code"; exit 1; }
done
