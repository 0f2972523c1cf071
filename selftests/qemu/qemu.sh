#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: qemu.sh
#
# Prints the words of a command, one a line: a qemu to emulate several CPUs
# with.  It is this machine's, or where that is older than 8.1 the one of the
# distribution's backports, unpacked below the cache folder.
#
# Before 8.1 a CPU may run code that another has just replaced.  A kernel
# patches itself all the time, and stops with "Oops: int3" when it meets the
# breakpoint that stood there in between.

set -eu -o pipefail

here=$(dirname "$(realpath "$0")")
cache=${CHIMNEY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/chimney}
suite=bookworm-backports
say() { echo "qemu.sh: $*" >&2; }
die() { say "$*"; exit 1; }

version=$(qemu-system-x86_64 --version |
	sed -nE '1s/.* version ([0-9]+\.[0-9]+).*/\1/p')
if [ "$(printf '%s\n' 8.1 "$version" | sort -V | head -n 1)" = 8.1 ]; then
	type -P qemu-system-x86_64
	exit
fi

# A folder that is there is complete: it is made elsewhere and renamed.
final=$cache/qemu
answer() {
	[ -d "$final" ] || return 1
	printf '%s\n' "$final/bin/qemu-system-x86_64" -L "$final/share/qemu"
}
answer && exit
mkdir -p "$cache"
exec 9> "$cache/.qemu.lock"
flock 9
answer && exit		# somebody else may have fetched it meanwhile

command -v apt-get > /dev/null ||
	die "qemu $version is older than 8.1, and there is no apt-get"
# shellcheck source=selftests/qemu/apt.sh
. "$here/apt.sh"
tmp=$(mktemp -d "$cache/.qemu.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
mirror=$(apt_mirror) || die "apt does not tell where Debian's packages are"
apt_suite "$mirror" "$suite" "$tmp"
say "fetching a newer qemu than $version into $cache (once)"
(
	cd "$tmp"
	apt-get "${apt[@]}" -q update &&
		apt-get "${apt[@]}" -q download qemu-system-{x86,data}
) > "$tmp/log" 2>&1 || { cat "$tmp/log" >&2; exit 1; }
for deb in "$tmp"/*.deb; do
	dpkg -x "$deb" "$tmp/root"
done
# Its libraries are those of the installed one.
"$tmp/root/usr/bin/qemu-system-x86_64" --version > /dev/null ||
	die "the qemu of $suite does not run here"
mv "$tmp/root/usr" "$final"
answer
