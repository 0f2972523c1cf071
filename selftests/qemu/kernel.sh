#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: kernel.sh [PREFIX | debug]
#
# Prints the folder of a distribution kernel whose version begins with PREFIX
# (default 6.1), after fetching it if it is not there yet; or that of the debug
# kernel (debug-kernel.sh).  Nothing is
# installed: packages are unpacked below the cache folder.
#
#   version             full version, 6.1.0-N-amd64
#   vmlinux             boots by PVH, four seconds faster than bzImage
#   lib/modules/VERSION modules, and build -> headers to build against
#   source/             parts of the kernel source: checkpatch.pl, kernel-doc,
#                       the kselftest runner, net/ and headers to read; only
#                       with 6.1, for all others to use
#   chroot/             only where this distribution's compiler is too old: one
#                       to build modules in, with the headers
#
# 6.1 is this distribution's (Debian 12), 6.12 that of its backports, 7 the
# newest of the backports of Debian 13.

set -eu -o pipefail

here=$(dirname "$(realpath "$0")")
prefix=${1:-${KERNEL:-6.1}}
cache=${CHIMNEY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/chimney}
say() { echo "kernel.sh: $*" >&2; }
die() { say "$*"; exit 1; }

newest() { sort -V | tail -n 1; }

if [ "$prefix" = debug ]; then
	exec "$here/debug-kernel.sh"
fi

# A folder that is there is complete: it is made elsewhere and renamed.
# "6.1" must find 6.1.0-56, not 6.12.
mkdir -p "$cache/kernel"
cached() {
	find "$cache/kernel" -mindepth 1 -maxdepth 1 -type d \
		\( -name "$prefix" -o -name "$prefix"'[-.+]*' \) \
		-printf '%f\n' | newest
}

found=$(cached)
if [ -n "$found" ]; then
	echo "$cache/kernel/$found"
	exit 0
fi

suite=
case $prefix in
6.1 | 6.1.*) ;;
6.12 | 6.12.*) suite=bookworm-backports ;;
7 | 7.*) suite=trixie-backports ;;
*) die "no kernel $prefix is known here, but 6.1, 6.12 and 7" ;;
esac
[ -z "$suite" ] || source=$("$0" 6.1)/source

exec 9> "$cache/kernel/.lock"
flock 9
found=$(cached)		# somebody else may have fetched it meanwhile
if [ -n "$found" ]; then
	echo "$cache/kernel/$found"
	exit 0
fi

command -v apt-get > /dev/null ||
	die "apt-get is needed to fetch a kernel"

tmp=$(mktemp -d "$cache/kernel/.new.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/deb" "$tmp/src" "$tmp/k"

apt=()
mirror=
if [ -n "$suite" ]; then
	# shellcheck source=selftests/qemu/apt.sh
	. "$here/apt.sh"
	mirror=$(apt_mirror) ||
		die "apt does not tell where Debian's packages are"
	apt_suite "$mirror" "$suite" "$tmp"
fi
refresh() { apt-get "${apt[@]}" -q update; }

candidates() {
	apt-cache "${apt[@]}" pkgnames "linux-image-$prefix" |
		sed -nE 's/^linux-image-([0-9.]+[-+][a-z0-9.]+-amd64)$/\1/p' |
		while read -r v; do
			case $v in
			"$prefix" | "$prefix"[-.+]*) echo "$v" ;;
			esac
		done | newest
}
version=$(candidates)
if [ -z "$version" ]; then
	[ -n "$suite" ] ||
		say "no kernel in apt's lists; refreshing them"
	refresh > "$tmp/log" 2>&1 || { cat "$tmp/log" >&2; exit 1; }
	version=$(candidates)
fi
[ -n "$version" ] ||
	die "there is no kernel $prefix in ${suite:-this distribution}"
abi=${version%-amd64}

pkgs=("linux-headers-$version" "linux-headers-$abi-common")
case $prefix in
6.1 | 6.1.*) pkgs+=("linux-image-$version" linux-{kbuild,source}-6.1) ;;
6.*) pkgs+=("linux-image-$version" "linux-kbuild-$abi") ;;
*) pkgs+=(linux-{binary,modules,base}-"$version" "linux-kbuild-$abi") ;;
esac
say "fetching $version into $cache (once)"
(
	# Names change with every update: refresh the lists if one is gone.
	cd "$tmp/deb"
	get() { apt-get "${apt[@]}" -q download "${pkgs[@]}" > apt.log 2>&1; }
	get || { refresh >> apt.log 2>&1; get; } ||
		{ cat apt.log >&2; exit 1; }
)

say "unpacking"
k=$tmp/k
final=$cache/kernel/$version

# Parts of the source; the headers, which name each other by absolute path.
unpack_source() {
	local parts top

	dpkg -x "$tmp"/deb/linux-source-*.deb "$tmp/src"
	mkdir "$k/source"
	top=$(basename "$tmp"/src/usr/src/linux-source-*.tar.xz .tar.xz)
	parts=(Makefile COPYING scripts net include tools/include tools/scripts
	       drivers/net/netdevsim Documentation/networking
	       tools/testing/selftests/{Makefile,lib.mk,run_kselftest.sh}
	       tools/testing/selftests/{kselftest_install.sh,kselftest}
	       tools/testing/selftests/{kselftest.h,kselftest_harness.h,net})
	tar -C "$k/source" --strip-components=1 \
		-xJf "$tmp/src/usr/src/$top.tar.xz" "${parts[@]/#/$top/}"
	ln -sfn "../../../source" "$k/lib/modules/$version/source"
}

# A small Debian with the compiler the kernel was built with.
make_chroot() {
	local gcc

	command -v debootstrap > /dev/null ||
		die "debootstrap is needed to build for $version"
	gcc=$(apt-cache "${apt[@]}" show "linux-headers-$version" |
		sed -nE 's/^Depends:.*\b(gcc-[0-9]+).*/\1/p' | head -n 1)
	say "making a ${suite%-backports} with $gcc to build in"
	unshare -m debootstrap --variant=minbase \
		--include="$gcc,make,libelf1t64,libc6-dev,kmod" \
		"${suite%-backports}" "$k/chroot" "$mirror" \
		> "$tmp/log" 2>&1 || { tail -n 20 "$tmp/log" >&2; exit 1; }
	rm -rf "$k"/chroot/var/{cache,lib}/apt/*
}

for deb in "$tmp"/deb/linux-{image,binary,modules,base}-*.deb; do
	[ ! -e "$deb" ] || dpkg -x "$deb" "$k"
done
[ -d "$k/lib" ] || mv "$k/usr/lib" "$k/lib"
if [ -z "$suite" ]; then
	unpack_source
	source=$k/source
fi

headers=$k
case $prefix in
7*)
	make_chroot
	headers=$k/chroot
	;;
esac
for deb in "$tmp"/deb/linux-{headers,kbuild}-*.deb; do
	dpkg -x "$deb" "$headers"
done
# Without it no type information is made, which only tracers look at.
rm -f "$headers/usr/src/linux-headers-$version/vmlinux"
if [ "$headers" = "$k" ]; then
	sed -i "s#\([= ]\)/usr/src/#\1$final/usr/src/#" \
		"$k/usr/src/linux-headers-$version/Makefile"
fi
[ -n "$suite" ] && rm -f "$k/lib/modules/$version/source"
ln -sfn "../../..${headers#"$k"}/usr/src/linux-headers-$version" \
	"$k/lib/modules/$version/build"

# busybox knows compressed modules, but the kernel complains first.
find "$k/lib/modules" -name '*.ko.xz' -print0 |
	xargs -0r -n 64 -P "$(nproc)" unxz
image=$(find "$k" -maxdepth 4 -name 'vmlinuz*')
bash "$source/scripts/extract-vmlinux" "$image" > "$k/vmlinux"
[ -s "$k/vmlinux" ] || die "no kernel in $image"
rm "$image"
depmod -b "$k" "$version"
echo "$version" > "$k/version"
rm -rf "${k:?}/usr/share" "${k:?}/etc"
mv "$k" "$final"
echo "$final"
