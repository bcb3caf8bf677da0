# Makes labctl's own Python environment, `.venv` in the project's root.  Sourced by bin/labctl and
# bin/test, which set `root`; POSIX sh, and nothing but Debian's essential packages and Python.
#
# `.venv/.labctl-run` and `.venv/.labctl-dev` are written last and hold all that the environment
# depends on, so that the usual call compares one file and is done.

venv=$root/.venv
python=$venv/bin/python

say() {
    printf 'labctl: %s\n' "$*" >&2
}

fail() {
    say "$1"
    [ -z "${2:-}" ] || say "Hint: $2"
    exit 1
}

# What the environment depends on: where it is, which interpreter, which packages.
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

# The interpreter to build on: LABCTL_PYTHON, else the first one that is new enough.
find_python() {
    for candidate in ${LABCTL_PYTHON:-python3 python3.13 python3.12 python3.11 /usr/bin/python3}; do
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
        "Install it (Debian 12 and newer: 'apt-get install python3'), or name one in LABCTL_PYTHON."
}

# Debian's Python comes without the module that makes environments.
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
    say "installing '$version': labctl keeps its Python packages in an environment of its own."
    install="$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq"
    install="$install -o DPkg::Lock::Timeout=120"
    install="$install --no-install-recommends $version"
    # The lists may be missing or old, and a third party's list may fail: neither matters as long
    # as the package can be installed.
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
    # An environment that was begun and not finished may hold anything; so may one that was moved
    # or whose interpreter has gone.
    if [ -e "$venv/.labctl-unfinished" ] || ! "$python" -m pip --version 2>/dev/null |
        grep -qF "$venv/"; then
        rm -rf "$venv"
    fi
    mkdir -p "$venv" || fail "'$venv' cannot be made." "labctl must be able to write to '$root'."
    : >"$venv/.labctl-unfinished"
    log=$venv/setup.log
    : >"$log"
    if [ ! -x "$python" ]; then
        ensure_venv_module
        "$base" -m venv "$venv" >>"$log" 2>&1 || show_log 'The Python environment failed.'
    fi
}

install_packages() {
    case $1 in
    run) lock=$root/requirements.lock ;;
    dev) lock=$root/requirements-dev.lock ;;
    esac
    say "installing Python packages into '$venv' (first use, or a new version; half a minute) ..."
    "$python" -m pip --disable-pip-version-check --no-input install --no-deps --require-hashes \
        -r "$lock" >>"$log" 2>&1 || show_log 'The Python packages could not be installed.'
    # labctl itself is not installed, only found: what runs is what the project's root holds.
    site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    printf '%s\n' "$root" >"$site/labctl.pth"
    for kind in run dev; do
        [ "$kind" = dev ] && [ "$1" = run ] && continue
        wanted_state "$kind" | sha256sum >"$venv/.labctl-$kind"
    done
    rm -f "$venv/.labctl-unfinished"
}

# ensure_environment run|dev: when it returns, `$python` has every package of that lock file.
ensure_environment() {
    is_ready "$1" && return
    # The root folder itself is the lock, so that nothing is left behind by it.
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
