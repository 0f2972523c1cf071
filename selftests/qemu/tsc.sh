#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: tsc.sh
#
# Prints the rate of this machine's time-stamp counter in kHz, which an emulated
# CPU shows as its own.
#
# A kernel that finds it out by itself compares with the emulated PIT.  On a
# busy machine it may see 143 MHz instead of 2445.  Its time then passes 17
# times too fast: tests run into deadlines, and watchdogs see lockups.

set -eu

here=$(dirname "$(realpath "$0")")
cache=${CHIMNEY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/chimney}
# It is found out anew when the machine starts.
answer=$cache/tsc-$(< /proc/sys/kernel/random/boot_id)
if [ ! -s "$answer" ]; then
	mkdir -p "$cache"
	tmp=$(mktemp -d "$cache/.tsc.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	cc -O2 -Wall -o "$tmp/tsc_khz" "$here/tsc_khz.c"
	"$tmp/tsc_khz" > "$tmp/answer"
	mv "$tmp/answer" "$answer"
fi
cat "$answer"
