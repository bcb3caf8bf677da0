#!/bin/sh
# A package like the installed one, with a higher version, made of the files that are here.
set -eu
name=jitsi-videobridge2
new=/root/upgrade/$name-new old=/root/upgrade/$name-old
rm -rf /root/upgrade
for tree in "$new" "$old"; do
    mkdir -p "$tree/DEBIAN"
    grep -v '/$' "/var/lib/dpkg/info/$name.list" | while IFS= read -r path; do
        [ "$path" = /. ] || [ -d "$path" ] || [ ! -e "$path" ] || echo ".$path"
    done | (cd / && xargs -d '\n' cp -a --parents -t "$tree" --)
    for part in conffiles config postinst postrm prerm preinst templates; do
        [ ! -f "/var/lib/dpkg/info/$name.$part" ] || cp -a "/var/lib/dpkg/info/$name.$part" "$tree/DEBIAN/$part"
    done
    dpkg-query -s "$name" | awk '/^(Status|Conffiles):/ { skip = 1; next } /^[^ ]/ { skip = 0 } !skip' |
        sed '/^Config-Version:/d' > "$tree/DEBIAN/control"
done
sed -i 's/^Version: .*/&+class1/' "$new/DEBIAN/control"
for tree in "$new" "$old"; do dpkg-deb -Znone --root-owner-group --build "$tree" > /dev/null; rm -rf "$tree"; done
mkdir -p /var/lib/labctl-class
mv "$old.deb" /var/lib/labctl-class/
cat >> /etc/jitsi/videobridge/jvb.conf << 'END'
videobridge {
  apis.rest.enabled = true
  rest.shutdown.enabled = true
  shutdown.shutting-down-delay = 2 seconds
}
END
systemctl restart jitsi-videobridge2
