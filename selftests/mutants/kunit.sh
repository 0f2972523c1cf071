#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: kunit.sh FOLDER
#
# In the guest: loads the modules of the folder, one after the other, and tells
# of each which case of KUnit it failed first, or that it passed.

here=$(dirname "$(realpath "$0")")

for module in "$1"/*.ko; do
	name=$(basename "$module" .ko)
	echo "begin $name"
	insmod "$module" && "$here/../kunit.sh" > /run/kunit && rmmod chimney
	verdict=$(grep -m 1 '^not ok' /run/kunit)
	if [ -z "$verdict" ]; then
		verdict="not ok, did not run"
		! grep -q '^# Totals: .* fail:0 ' /run/kunit || verdict=passed
	fi
	echo "end $name: $verdict"
	[ ! -e /sys/module/chimney ] || rmmod chimney || exit
	rm -f /run/kunit
done
