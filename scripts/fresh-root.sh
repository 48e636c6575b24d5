#!/bin/sh
# Proves the README: runs its commands from a clean clone in a fresh Debian or Ubuntu root with Node 20 and nothing else.
# usage: sudo scripts/fresh-root.sh [--suite bookworm] [--keep] [COMMAND …]      default: npm run demo, then npm test
# The root is made by mmdebstrap from this machine's own package sources where the suite matches; Node and npm are this
# machine's. Needs mmdebstrap. Everything is removed at the end, unless --keep.
set -eu
suite=bookworm
keep=no
while [ $# -gt 0 ]; do
    case $1 in
    --suite) suite=$2; shift 2 ;;
    --keep) keep=yes; shift ;;
    --) shift; break ;;
    -*) sed -n '2,6s/^# //p' "$0" >&2; exit 2 ;;
    *) break ;;
    esac
done
[ "$(id -u)" = 0 ] || { echo "fresh-root: root is needed" >&2; exit 6; }
repository=$(cd "$(dirname "$0")/.." && pwd)
root=$(mktemp -d "${TMPDIR:-/var/tmp}/bascule-fresh.XXXXXX")
say() { printf 'fresh-root: %s\n' "$*" >&2; }

clean() {
    status=$?
    if [ "$keep" = yes ]; then say "kept: chroot $root"; else rm -rf --one-file-system "$root"; fi
    exit $status
}
trap clean EXIT
trap 'exit 130' INT TERM

say "making a fresh $suite in $root"
mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
mmdebstrap --quiet --variant=minbase --include=ca-certificates "$suite" "$root" $mirror
cp -a "$(readlink -f "$(command -v node)")" "$root/usr/bin/node"
npm_home=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
mkdir -p "$root/usr/lib/node_modules"
cp -a "$npm_home" "$root/usr/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/bin/npm"
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/bin/npx"
# How this machine reaches its package sources goes along: resolver, certificates, npm's configuration.
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
[ ! -e "$HOME/.npmrc" ] || cp "$HOME/.npmrc" "$root/root/.npmrc"
cp -a /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/" 2>/dev/null || true

say "cloning $(git -C "$repository" rev-parse --short HEAD)"
git clone --quiet "$repository" "$root/root/bascule"
if [ -d "${BASCULE_SHARED:-$repository/../shared}" ]; then cp -a "${BASCULE_SHARED:-$repository/../shared}" "$root/root/shared"; fi

# The root becomes "/" of a mount namespace of its own, with a process namespace whose end ends all that was started.
# The network is this machine's: packages must come from somewhere.
inside() {
    say "\$ $*"
    started=$(date +%s)
    ROOT=$root unshare --mount --pid --fork --kill-child --propagation private sh -euc '
        mount --bind "$ROOT" "$ROOT"
        mount -t proc proc "$ROOT/proc"
        mount --rbind /sys "$ROOT/sys"
        mount --rbind /dev "$ROOT/dev"
        mount -t tmpfs tmpfs "$ROOT/run"
        mount -t tmpfs tmpfs "$ROOT/tmp"
        mkdir "$ROOT/tmp/outside"
        cd "$ROOT"
        pivot_root . tmp/outside
        umount -l /tmp/outside
        cd /root/bascule
        exec env -i HOME=/root USER=root LANG=C.UTF-8 TERM=dumb CI="${CI:-}" \
            NODE_EXTRA_CA_CERTS="${NODE_EXTRA_CA_CERTS:-}" \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin sh -c "\"\$@\"; exit \$?" sh "$@"
    ' sh "$@" </dev/null
    say "\$ $*: passed in $(($(date +%s) - started)) s"
}
if [ $# -gt 0 ]; then
    inside "$@"
else
    inside npm run demo
    inside npm test
fi
