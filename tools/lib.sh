# Shared by tools/demo, tools/test, tools/fuzz/run and tools/bench/run: sourced, not run.

# Debian's own Python: it has pytest and Django, whatever other one stands first in PATH.
PYTHON=/usr/bin/python3
export PYTHONDONTWRITEBYTECODE=1

BUILD_PACKAGES="cmake ninja-build gcc libc6-dev pkg-config libuv1-dev libmsgpack-dev libsqlite3-dev libsodium-dev
    libjson-c-dev python3"
TEST_PACKAGES="$BUILD_PACKAGES clang libclang-rt-14-dev libcmocka-dev python3-pytest python3-pytest-xdist
    python3-django python3-cryptography python3-msgpack python3-nacl sqlite3 iproute2 procps util-linux"

# Colour and weight on a terminal only.
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    BOLD=$(printf '\033[1m') DIM=$(printf '\033[2m') RED=$(printf '\033[31m') GREEN=$(printf '\033[32m')
    PLAIN=$(printf '\033[0m')
else
    BOLD='' DIM='' RED='' GREEN='' PLAIN=''
fi

say() {
    printf '%s\n' "$*"
}

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root, and there is no sudo here: run it as root"
    fi
}

# Install what is missing among the named Debian packages. Nothing is asked of the network when nothing is missing.
install_packages() {
    local package missing=''

    command -v dpkg-query >/dev/null || die "this needs Debian's package tools (dpkg, apt-get)"
    for package in "$@"; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    say "installing:$missing"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >"$LOG_DIR/apt.log" 2>&1 ||
        die "apt-get update failed: $(tail -n 3 "$LOG_DIR/apt.log")"
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing \
        >>"$LOG_DIR/apt.log" 2>&1 || die "apt-get install failed: $(tail -n 3 "$LOG_DIR/apt.log")"
}

# Configure and build a preset, quietly unless it fails.
build_preset() {
    local preset=$1 log=$LOG_DIR/build-$1.log

    shift
    if cmake --preset "$preset" "$@" >"$log" 2>&1 && cmake --build --preset "$preset" >>"$log" 2>&1; then
        return 0
    fi
    grep -E 'error|warning|FAILED' "$log" | head -n 20
    tail -n 5 "$log"
    return 1
}
