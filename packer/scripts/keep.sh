#!/bin/sh
# Keep the configuration that the packages' own scripts generated, with secrets blanked out;
# `labctl drift` compares it with what labctl renders.  Runs as root, after install.sh.
set -eu
kept=/var/lib/labctl/packaged

rm -rf "$kept"
mkdir -p "$kept"
for source in /etc/prosody/conf.avail /etc/prosody/prosody.cfg.lua /etc/jitsi \
    /etc/nginx/nginx.conf /etc/nginx/sites-available /etc/turnserver.conf; do
    if [ -e "$source" ]; then
        mkdir -p "$kept$(dirname "$source")"
        cp -R "$source" "$kept$source"
    fi
done
find "$kept" -type f \( -name '*.key' -o -name '*.crt' -o -name '*.pem' -o -name '*.cnf' \) -delete

# A key that ends in "password" or "secret", then = or :, then its value.  In Lua only a string is
# a value (anything else is the name of a variable), and every file stays readable.
blanked=BLANKED-BY-LABCTL
find "$kept" -type f -name '*.lua' -exec sed -i -E \
    -e "s/((password|secret)[[:space:]]*=[[:space:]]*)\"[^\"]*\"/\1\"$blanked\"/Ig" \
    -e "s/((password|secret)[[:space:]]*=[[:space:]]*)'[^']*'/\1'$blanked'/Ig" {} +
find "$kept" -type f ! -name '*.lua' ! -name '*.js' -exec sed -i -E \
    "s/((password|secret)\"?[[:space:]]*[=:][[:space:]]*\"?)[^\",;[:space:]]+/\1$blanked/Ig" {} +
chmod -R u=rwX,go=rX "$kept"
