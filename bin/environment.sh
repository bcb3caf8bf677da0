# Makes labctl's own Python environment, `.venv` in the project's root.  bin/labctl and bin/test set
# `root` and source this file.  It needs POSIX sh, Debian's essential packages and Python only.
#
# `.labctl-run` and `.labctl-dev` in it are written last and hold everything that the environment
# depends on, so the usual call only compares one file.

# What is meant for the user's own Python must not change ours.
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE PYTHONWARNINGS PYTHONOPTIMIZE

say() {
    printf 'labctl: %s\n' "$*" >&2
}

fail() {
    say "$1"
    [ -z "${2:-}" ] || say "Hint: $2"
    exit 1
}

# Whether programs may be run from a folder; they may not if it is mounted noexec.
runs_programs() {
    probe=$1/.labctl-probe.$$
    : 2>/dev/null >"$probe" || return 1
    chmod 755 "$probe"
    [ -x "$probe" ] && runs=0 || runs=1
    rm -f "$probe"
    return $runs
}

# Where the environment is: LABCTL_VENV, else in the project's root.  Python refuses a path with a
# colon, and on a file system that is mounted noexec its modules cannot be loaded; then it is
# elsewhere, in a folder of this user.
find_place() {
    venv=${LABCTL_VENV:-$root/.venv}
    if [ -z "${LABCTL_VENV:-}" ] && [ ! -e "$venv/.labctl-run" ]; then
        case $root in
        *:*) find_other_place ;;
        *) runs_programs "$root" || [ ! -w "$root" ] || find_other_place ;;
        esac
    fi
    python=$venv/bin/python
}

find_other_place() {
    mark=$(printf '%s' "$root" | sha256sum | cut -c 1-12)
    for base in "${XDG_CACHE_HOME:-${HOME:-/nowhere}/.cache}/labctl" "/var/tmp/labctl-$(id -u)"; do
        case $base in *:*) continue ;; esac
        (umask 077 && mkdir -p "$base/$mark") 2>/dev/null || continue
        [ "$(stat -c %u "$base")" = "$(id -u)" ] || continue
        if runs_programs "$base/$mark"; then
            venv=$base/$mark
            return
        fi
    done
    fail "labctl's Python environment cannot be in '$root': the path has a colon, or it is noexec." \
        'Set LABCTL_VENV to a folder in which programs may run.'
}

# What the environment depends on: its path, the interpreter, the packages.
wanted_state() {
    printf '%s\n' "$root"
    readlink -f "$python" || echo 'no interpreter'
    cat "$root/requirements.lock"
    [ "$1" = run ] || cat "$root/requirements-dev.lock"
}

is_ready() {
    [ -f "$venv/.labctl-$1" ] && [ -x "$python" ] || return 1
    wanted_state "$1" | sha256sum | cmp -s - "$venv/.labctl-$1"
}

# The interpreter to use: LABCTL_PYTHON, else the first one that is new enough.
find_python() {
    for candidate in ${LABCTL_PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 \
        /usr/bin/python3}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            base=$("$candidate" -c 'import sys; print(sys.executable)')
            return
        fi
    done
    [ -z "${LABCTL_PYTHON:-}" ] ||
        fail "'$LABCTL_PYTHON' (LABCTL_PYTHON) is no Python 3.11 or newer." \
            'Name another one, or unset LABCTL_PYTHON.'
    found=$(python3 --version 2>/dev/null) || found='no Python 3 at all'
    fail "labctl needs Python 3.11 or newer; this machine has $found." \
        "Install it (Debian 12 and newer, Ubuntu 24.04: 'apt-get install python3'; Ubuntu 22.04:\
 'apt-get install python3.11 python3.11-venv'), or name one in LABCTL_PYTHON."
}

# Debian's Python does not include the module that makes environments.
ensure_venv_module() {
    "$base" -c 'import venv, ensurepip' 2>/dev/null && return
    version=$("$base" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    command -v apt-get >/dev/null ||
        fail "'$base' cannot make virtual environments (modules 'venv' and 'ensurepip')." \
            "Install them for this Python, or name another one in LABCTL_PYTHON."
    if [ "$(id -u)" -eq 0 ]; then
        sudo=
    elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        sudo=sudo
    else
        fail "'$version' is not installed, and installing it needs root." \
            "Run as root: apt-get update && apt-get install -y --no-install-recommends $version"
    fi
    say "installing '$version': labctl keeps its Python packages in its own environment."
    install="$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq"
    install="$install -o DPkg::Lock::Timeout=120"
    install="$install --no-install-recommends $version"
    # The lists may be missing or old, and a third party's list may fail.  That does not matter if
    # the package can be installed.
    if ! $install >"$log" 2>&1; then
        $sudo apt-get update -qq -o Acquire::Retries=2 >>"$log" 2>&1 || true
        $install >>"$log" 2>&1 || show_log "'$version' could not be installed."
    fi
}

show_log() {
    tail -n 12 "$log" | sed 's/^/    /' >&2
    fail "$1" "The whole output is in '$log'; the next call tries again."
}

make_venv() {
    find_python
    # An unfinished environment may contain anything, and so may one that was moved or whose
    # interpreter has gone.
    if [ -e "$venv/.labctl-unfinished" ] || ! "$python" -I -m pip --version 2>/dev/null |
        grep -qF "$venv/"; then
        rm -rf "$venv"
    fi
    mkdir -p "$venv" || fail "'$venv' cannot be made." "labctl must be able to write to '$root'."
    : >"$venv/.labctl-unfinished"
    log=$venv/setup.log
    : >"$log"
    if [ ! -x "$python" ]; then
        ensure_venv_module
        "$base" -I -m venv "$venv" >>"$log" 2>&1 || show_log 'The Python environment failed.'
    fi
}

# Of the user's settings of pip, by pip.conf or PIP_..., only those that say how packages are reached
# are kept: others install elsewhere (user, target), or demand what does not concern us.  As shell
# commands, so that a password in an address is in nobody's list of processes.
pip_settings() {
    "$python" -I -c '
import ast, configparser, os, shlex, subprocess, sys
kept = """index-url extra-index-url find-links no-index proxy cert client-cert trusted-host timeout
default-timeout retries cache-dir keyring-provider""".split()
said = subprocess.run(
    [sys.executable, "-I", "-m", "pip", "config", "list"], capture_output=True, text=True
).stdout
found = {"CONFIG_FILE": os.devnull}
order = ["global", "install", ":env:"]
rows = []
for line in said.splitlines():
    name, _, value = line.partition("=")
    section, _, key = name.rpartition(".")
    rows.append((section, key, ast.literal_eval(value) if section in order else ""))
# Not every pip lists this file.
file = configparser.RawConfigParser()
file.read(os.environ.get("PIP_CONFIG_FILE", os.devnull))
rows += [(section, *item) for section in file.sections() for item in file.items(section)]
for section in order:
    for where, key, value in rows:
        if where == section and key in kept:
            found[key.replace("-", "_").upper()] = value
for name in os.environ:
    if name.startswith("PIP_"):
        print("unset", name)
for name, value in found.items():
    print(f"export PIP_{name}={shlex.quote(str(value))}")
'
}

install_packages() {
    case $1 in
    run) lock=$root/requirements.lock ;;
    dev) lock=$root/requirements-dev.lock ;;
    esac
    say "installing Python packages into '$venv' (first use, or a new version; half a minute) ..."
    settings=$(pip_settings)
    (
        eval "$settings"
        "$python" -I -m pip --disable-pip-version-check --no-input install --no-deps \
            --require-hashes -r "$lock"
    ) >>"$log" 2>&1 || show_log 'The Python packages could not be installed.'
    # labctl itself is not installed, only put on the path: the code in the project's root runs.
    # The path is in bytes, because the file is read in the locale of each call.
    "$python" -I -c '
import os, sys, sysconfig
line = f"import os, sys; sys.path.append(os.fsdecode({os.fsencode(sys.argv[1])!r}))\n"
with open(os.path.join(sysconfig.get_path("purelib"), "labctl.pth"), "w", encoding="ascii") as file:
    file.write(line)
' "$root"
    for kind in run dev; do
        [ "$kind" = dev ] && [ "$1" = run ] && continue
        wanted_state "$kind" | sha256sum >"$venv/.labctl-$kind"
    done
    rm -f "$venv/.labctl-unfinished"
}

# ensure_environment run|dev: when it returns, `$python` has every package of that lock file.
ensure_environment() {
    find_place
    is_ready "$1" && return
    # The root folder itself is the lock, so the lock leaves no file behind.
    exec 9<"$root"
    if ! flock -n 9; then
        say 'waiting for another labctl that is setting up the same environment ...'
        flock 9
    fi
    if ! is_ready "$1"; then
        make_venv
        install_packages "$1"
        say 'the Python environment is ready.'
    fi
    exec 9<&-
}
