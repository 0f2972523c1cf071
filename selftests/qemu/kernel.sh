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
#                       the kselftest runner, net/ and headers to read

set -eu -o pipefail

prefix=${1:-${KERNEL:-6.1}}
cache=${CHIMNEY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/chimney}
say() { echo "kernel.sh: $*" >&2; }
die() { say "$*"; exit 1; }

newest() { sort -V | tail -n 1; }

if [ "$prefix" = debug ]; then
	exec "$(dirname "$(realpath "$0")")/debug-kernel.sh"
fi

# A folder that is there is complete: it is made elsewhere and renamed.
# "6.1" must find 6.1.0-56, not 6.12.
mkdir -p "$cache/kernel"
cached() {
	find "$cache/kernel" -mindepth 1 -maxdepth 1 -type d \
		\( -name "$prefix" -o -name "$prefix.*" -o \
		   -name "$prefix-*" \) -printf '%f\n' | newest
}

found=$(cached)
if [ -n "$found" ]; then
	echo "$cache/kernel/$found"
	exit 0
fi

case $prefix in
6.1 | 6.1.*) ;;
*) die "only 6.1 kernels can be fetched, not $prefix" ;;
esac

exec 9> "$cache/kernel/.lock"
flock 9
found=$(cached)		# somebody else may have fetched it meanwhile
if [ -n "$found" ]; then
	echo "$cache/kernel/$found"
	exit 0
fi

command -v apt-get > /dev/null ||
	die "apt-get is needed to fetch a kernel"
candidates() {
	apt-cache pkgnames "linux-image-$prefix" |
		sed -nE 's/^linux-image-([0-9.]+-[0-9]+-amd64)$/\1/p' | newest
}
version=$(candidates)
if [ -z "$version" ]; then
	say "no kernel in apt's lists; refreshing them"
	apt-get -q update > /dev/null
	version=$(candidates)
fi
[ -n "$version" ] || die "this distribution has no kernel $prefix"

tmp=$(mktemp -d "$cache/kernel/.new.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/deb" "$tmp/src" "$tmp/k"
say "fetching $version into $cache (once)"
(
	# Names change with every update: refresh the lists if one is gone.
	cd "$tmp/deb"
	pkgs=("linux-image-$version" "linux-headers-$version"
	      "linux-headers-${version%-amd64}-common"
	      linux-kbuild-6.1 linux-source-6.1)
	get() { apt-get -q download "${pkgs[@]}" > apt.log 2>&1; }
	get || { apt-get -q update >> apt.log 2>&1; get; } ||
		{ cat apt.log >&2; exit 1; }
)

say "unpacking"
k=$tmp/k
for deb in "$tmp"/deb/linux-{image,headers,kbuild}-*.deb; do
	dpkg -x "$deb" "$k"
done
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

# The headers name each other by absolute path.
final=$cache/kernel/$version
sed -i "s#\([= ]\)/usr/src/#\1$final/usr/src/#" \
	"$k/usr/src/linux-headers-$version/Makefile"
ln -sfn "../../../usr/src/linux-headers-$version" \
	"$k/lib/modules/$version/build"
ln -sfn "../../../source" "$k/lib/modules/$version/source"
bash "$k/source/scripts/extract-vmlinux" "$k/boot/vmlinuz-$version" \
	> "$k/vmlinux"
[ -s "$k/vmlinux" ] || die "no kernel in vmlinuz-$version"
depmod -b "$k" "$version"
echo "$version" > "$k/version"
rm -rf "${k:?}/usr/share" "${k:?}/etc" "$k/boot/vmlinuz-$version"
mv "$k" "$final"
echo "$final"
