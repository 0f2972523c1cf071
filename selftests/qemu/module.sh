#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: module.sh KERNEL-FOLDER [DIR [MAKE-ARGS...]]
#
# Builds chimney.ko against that kernel's headers in a copy of the sources, so
# that a build for another kernel in the checkout is left alone.  Prints the
# file's name.

set -eu -o pipefail

k=$1
top=$(realpath "$(dirname "$(realpath "$0")")/../..")
version=$(cat "$k/version")
dir=${2:-$top/build/module-$version}
shift $(($# < 2 ? $# : 2))
# With the debug kernel the module has its KUnit tests, and counts which lines
# have run.
case $version in
*-debug) set -- CONFIG_CHIMNEY_KUNIT_TEST=y GCOV_PROFILE=y "$@" ;;
esac

mkdir -p "$dir"
exec 9> "$dir/.lock"
flock 9
# A file that is put back with its old date is newer than what was built of it.
rsync -a --no-times --checksum --delete \
	--exclude='*.o' --exclude='*.ko' --exclude='*.mod' \
	--exclude='*.mod.c' --exclude='*.gcno' --exclude='.*.cmd' \
	--exclude=.lock --exclude='modules.order' --exclude='Module.symvers' \
	--include='/Kbuild' --include='/drivers/***' --include='/include/***' \
	--exclude='*' "$top/" "$dir/"
if [ ! -d "$k/chroot" ]; then
	make -s -C "$k/lib/modules/$version/build" M="$dir" \
		-j"$(nproc)" "$@" modules >&2
else
	# With the tools that are in there; its mounts end with it.
	# shellcheck disable=SC2016
	unshare -m sh -ec 'root=$1 dir=$2
		shift 2
		mount -t proc proc "$root/proc"
		mount --bind "$dir" "$root/mnt"
		exec chroot "$root" make -s M=/mnt "$@"' \
		sh "$k/chroot" "$dir" -C "/usr/src/linux-headers-$version" \
		-j"$(nproc)" "$@" modules >&2
fi
echo "$dir/drivers/net/chimney/chimney.ko"
