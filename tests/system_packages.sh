#!/bin/sh
# Installs the Debian packages that some tests use, where that can be done; a test that lacks one skips and says so.
# Exit codes: 0 done or left to the user, 1 apt-get failed, 75 the package registry could not be reached.
set -eu

# A package, and after the colon the commands (any of them will do) or the file by which it counts as present.
PACKAGES="
chromium:chromium,chromium-browser,google-chrome,google-chrome-stable
fonts-dejavu-core:/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
redis-server:redis-server
redis-tools:redis-cli
mosquitto:mosquitto
mosquitto-clients:mosquitto_pub
clickhouse-server:clickhouse-server
default-jre-headless:java
maven:mvn
openssl:openssl
"

present() {
    for mark in $(echo "$1" | tr ',' ' '); do
        case $mark in
            /*) if [ -e "$mark" ]; then return 0; fi ;;
            *) if command -v "$mark" >/dev/null 2>&1; then return 0; fi ;;
        esac
    done
    return 1
}

missing=
for entry in $PACKAGES; do
    present "${entry#*:}" || missing="$missing ${entry%%:*}"
done
missing=${missing# }
if [ -z "$missing" ]; then exit 0; fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Not installed: $missing. The tests that need them will be skipped."
    exit 0
fi

log=$(mktemp)
policy=/usr/sbin/policy-rc.d
own_policy=
clean_up() {
    rm -f "$log"
    if [ -n "$own_policy" ]; then rm -f "$policy"; fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM

echo "Installing for the tests: $missing"
export DEBIAN_FRONTEND=noninteractive
if ! apt-get -qq -o APT::Update::Error-Mode=any update >"$log" 2>&1; then
    cat "$log"
    echo "The package registry cannot be reached. The tests that need $missing will be skipped."
    exit 75
fi

wanted=
for package in $missing; do
    if apt-cache policy "$package" | grep -q 'Candidate: [0-9]'; then
        wanted="$wanted $package"
    else
        echo "This distribution has no package $package: install it by hand, or its tests will be skipped."
    fi
done
if [ -z "$wanted" ]; then exit 0; fi

# No server may be left running on its default port: 101 forbids packages to start theirs.
if [ ! -e "$policy" ]; then
    own_policy=1
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

# shellcheck disable=SC2086  # a list of words
if ! apt-get -qq -o DPkg::Lock::Timeout=120 install --no-install-recommends $wanted >"$log" 2>&1; then
    cat "$log"
    exit 1
fi
