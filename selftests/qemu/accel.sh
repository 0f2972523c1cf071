#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: accel.sh KERNEL-FOLDER INITRD
#
# Prints kvm or tcg.  That /dev/kvm exists or opens proves nothing: only a
# guest that came up does.  The answer is kept in the cache folder.

set -eu

k=$1
initrd=$2
cache=${CHIMNEY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/chimney}
here=$(dirname "$(realpath "$0")")

if [ ! -w /dev/kvm ]; then
	echo tcg
	exit 0
fi
id=$( { uname -r; grep -m 1 'model name' /proc/cpuinfo
	cat /proc/sys/kernel/random/boot_id; } | sha256sum | cut -c 1-12)
answer=$cache/accel-$id
if [ -s "$answer" ]; then
	cat "$answer"
	exit 0
fi

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
printf '%s=\n' KDIR MODULE VTIME SHELL_MODE TOOLS > "$tmp/env"
printf 'TOP=/\nRUN="exit 42"\n' >> "$tmp/env"
word=tcg
root_fs=local,path=/,mount_tag=root,readonly=on
root_fs+=,security_model=none,multidevs=remap
# qemu may abort, which the shell would announce.
(timeout -k 1 10 qemu-system-x86_64 -nodefaults -no-user-config -display none \
	-no-reboot -smp 2 -accel kvm -cpu host -m 512 -bios qboot.rom \
	-kernel "$k/vmlinux" -initrd "$initrd" -device virtio-serial-pci \
	-virtfs "$root_fs" \
	-chardev "file,id=result,path=$tmp/result" \
	-device virtserialport,chardev=result,name=result \
	-chardev null,id=out -device virtserialport,chardev=out,name=out \
	-chardev null,id=err -device virtserialport,chardev=err,name=err \
	-append "panic=-1 quiet rig=$here job=$tmp" \
	|| :) < /dev/null > /dev/null 2>&1
if [ "$(cat "$tmp/result" 2> /dev/null)" = exit=42 ]; then
	word=kvm
fi
mkdir -p "$cache"
echo "$word" > "$answer.$$" && mv "$answer.$$" "$answer"
echo "$word"
