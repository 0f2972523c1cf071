#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: initrd.sh KERNEL-FOLDER
#
# Prints the initial ram disk for that kernel, made if missing or outdated.
# It holds busybox, init and the modules needed to mount the host's root;
# every other module is read from the kernel's folder by modprobe.

set -eu -o pipefail

k=$1
here=$(dirname "$(realpath "$0")")
version=$(cat "$k/version")
key=$(cat "$0" "$here/init" | sha256sum | cut -c 1-12)
out=$k/initrd-$key.gz
if [ -e "$out" ]; then
	echo "$out"
	exit 0
fi

tmp=$(mktemp -d "$k/.initrd.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp"/img/{bin,proc,sys,dev,modules.d}
cp "$(command -v busybox)" "$tmp/img/bin/busybox"
cp "$here/init" "$tmp/img/init"
chmod 755 "$tmp/img/init"

for m in virtio_pci virtio_console 9p 9pnet_virtio overlay; do
	/sbin/modprobe -d "$k" -S "$version" --show-depends "$m"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
while read -r ko; do
	cp "$ko" "$tmp/img/modules.d/"
	echo "/modules.d/${ko##*/}"
done > "$tmp/img/modules"

(cd "$tmp/img" && find . | cpio -o -H newc -R 0:0 --quiet) |
	gzip -1 > "$tmp/initrd.gz"
mv "$tmp/initrd.gz" "$out"
echo "$out"
