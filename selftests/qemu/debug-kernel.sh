#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: debug-kernel.sh
#
# Prints the folder of a kernel that watches itself, laid out as kernel.sh does
# it, after building it from the distribution's source package if it is not
# there yet.  The version of the source that apt knows, the configuration and
# this script make its name: whatever changes, it is built anew, once.

set -eu -o pipefail

series=6.1
here=$(dirname "$(realpath "$0")")
cache=${CHIMNEY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/chimney}
say() { echo "debug-kernel.sh: $*" >&2; }
die() { say "$*"; exit 1; }

mkdir -p "$cache/kernel"
key() {
	{
		apt-cache show --no-all-versions "linux-source-$series" |
			grep '^Version:'
		cat "$0" "$here/debug.config" "$here/../config"
	} 2> /dev/null | sha256sum | cut -c 1-12
}

print_cached() {
	local found

	found=$(find "$cache/kernel" -mindepth 1 -maxdepth 1 -type d \
		-name "debug-*-$(key)")
	[ -n "$found" ] || return 1
	echo "$found"
}

print_cached && exit
exec 9> "$cache/kernel/.debug.lock"
flock 9
print_cached && exit	# somebody else may have built it meanwhile

command -v apt-get > /dev/null ||
	die "apt-get is needed to fetch the kernel's source"
tmp=$(mktemp -d "$cache/kernel/.debug.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
(
	cd "$tmp"
	get() { apt-get -q download "linux-source-$series" > apt.log 2>&1; }
	get || { apt-get -q update >> apt.log 2>&1; get; } ||
		{ cat apt.log >&2; exit 1; }
	dpkg -x linux-source-*.deb .
	rm linux-source-*.deb
)
src=$tmp/src
obj=$tmp/obj
out=$tmp/out
mkdir "$src" "$obj" "$out"
tar -C "$src" --strip-components=1 -xJf "$tmp"/usr/src/linux-source-*.tar.xz

# Booted by PVH, the kernel compares strings before KASAN's shadow is there.
pvh=$src/arch/x86/platform/pvh
echo 'KASAN_SANITIZE := n' >> "$pvh/Makefile"
sed -i 's/xen_cpuid_base()/0/' "$pvh/enlighten.c"

build() {
	make -s -C "$src" O="$obj" -j"$(nproc)" "$@" >> "$tmp/log" 2>&1 ||
		{ tail -n 40 "$tmp/log" >&2; die "make $1 failed"; }
}

build tinyconfig
"$src/scripts/kconfig/merge_config.sh" -m -O "$obj" "$obj/.config" \
	"$here/debug.config" "$here/../config" > "$tmp/merge" 2>&1
build olddefconfig
# What was asked for must be there, or a test would watch nothing.
sed -n 's/^\(CONFIG_[A-Z0-9_]*\)=[ym]$/\1/p' "$here/debug.config" \
	"$here/../config" | sort -u | while read -r option; do
	grep -q "^$option=" "$obj/.config" || echo "$option"
done > "$tmp/lost"
[ ! -s "$tmp/lost" ] || die "not to be had: $(tr '\n' ' ' < "$tmp/lost")"

say "building one into $cache (once); a quarter of an hour on two CPUs"
build vmlinux modules
version=$(cat "$obj/include/config/kernel.release")
final=$cache/kernel/debug-$version-$(key)
build modules_install INSTALL_MOD_PATH="$out" INSTALL_MOD_STRIP=1

objcopy -g "$obj/vmlinux" "$out/vmlinux"
# What a module is built with stays, what it was made of goes.
find "$obj" \( -name '*.o' -o -name '*.a' -o -name '.*.cmd' -o -name '*.ko' \
	-o -name '*.mod*' -o -name 'vmlinux*' -o -name '.tmp_*' \) \
	-not -path "$obj/scripts/*" -not -path "$obj/tools/*" \
	-type f -delete
find "$src" -type f -name '*.[cS]' -not -path "$src/scripts/*" \
	-not -path "$src/tools/*" -not -path "$src/net/*" -delete
find "$src" "$obj" -type d -empty -delete
mv "$src" "$out/source"
mv "$obj" "$out/build"
# Both name the folders they were made in.
grep -rlI --null -e "$src" -e "$obj" "$out/build" |
	xargs -0r sed -i "s#$src#$final/source#g; s#$obj#$final/build#g"
ln -sfn "$final/source" "$out/build/source"
ln -sfn ../../../build "$out/lib/modules/$version/build"
ln -sfn ../../../source "$out/lib/modules/$version/source"
echo "$version" > "$out/version"
mv "$out" "$final"
echo "$final"
