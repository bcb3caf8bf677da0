#!/bin/sh
# Install a role's packages, Debian's and Jitsi's in one apt call, and start nothing.
# Runs as root; its input was uploaded to $LABCTL_INPUT (from labctl/images/bakeinput.py).
set -eu
input=$LABCTL_INPUT
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true
# As in a container, even if systemd runs: units are enabled and disabled, but nothing is reloaded
# after every package, which would take minutes under emulation.
export SYSTEMD_OFFLINE=1

# 101 means "not allowed"; invoke-rc.d accepts it silently, and maintainer scripts never see it.
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d
echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/labctl-bake

if [ -n "$LABCTL_NAMESERVER" ]; then
    # clean.sh undoes this.
    cp /etc/resolv.conf /etc/resolv.conf.labctl-bake
    printf 'nameserver %s\n' "$LABCTL_NAMESERVER" > /etc/resolv.conf
fi

cp "$input/apt.conf" /etc/apt/apt.conf.d/99labctl-bake
cp "$input/debian.sources" /etc/apt/sources.list.d/debian.sources
cp "$input/backports.pref" /etc/apt/preferences.d/labctl-backports
cp "$input/labctl-bake.sources" /etc/apt/sources.list.d/labctl-bake.sources
cp "$input/labctl-bake.pref" /etc/apt/preferences.d/labctl-bake

# Prosody 13 runs on Lua 5.4, for which Debian has neither module, but both files are pure Lua.
# Without them the visitors component does not load, and Prosody only says so in its log.
# They must exist before Prosody's first start, so they are made before its installation.
mkdir -p /usr/local/share/lua/5.4
ln -sf /usr/share/lua/5.3/inspect.lua /usr/share/lua/5.2/basexx.lua /usr/local/share/lua/5.4/

debconf-set-selections "$input/preseed"
apt-get update --quiet

# Debian compiles all modules of Python when they are installed, which is a third of the bake of a
# stand-in.  Only what stand-ins import is compiled, after the installation.
python=$(apt-cache depends python3-minimal | sed -n 's/.*Depends: \(python3[.0-9]*\)-minimal$/\1/p')
compilers="/usr/bin/py3compile /usr/lib/$python/py_compile.py"
for compiler in $compilers; do
    dpkg-divert --quiet --local --rename --divert "$compiler.real" --add "$compiler"
    mkdir -p "$(dirname "$compiler")"
    [ "${compiler##*.}" = py ] || echo '#!/bin/sh' > "$compiler"
    touch "$compiler"
    chmod 0755 "$compiler"
done
xargs apt-get install --quiet --yes --no-install-recommends < "$input/packages"
for compiler in $compilers; do
    rm "$compiler"
    dpkg-divert --quiet --local --rename --remove "$compiler"
done
rmdir "/usr/lib/$python" 2> /dev/null || true
if [ -d /usr/share/labctl-standin ] && command -v python3 > /dev/null; then
    python3 -m compileall -q /usr/share/labctl-standin
    python3 - <<'PYTHON'
import ast, contextlib, importlib, pathlib

names = set()
for path in pathlib.Path("/usr/share/labctl-standin").rglob("*.py"):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
for name in sorted(names):
    # The stand-ins' own modules are not on this path.
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
PYTHON
fi
