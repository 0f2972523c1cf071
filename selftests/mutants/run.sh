#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: run.sh [NAME...]
#
# Applies the breaks of "list", one at a time, to a copy of the sources, runs
# the test that should notice, and says which did not.  First the unbroken
# sources: there nothing may be noticed.

set -eu -o pipefail

here=$(dirname "$(realpath "$0")")
top=$(dirname "$(dirname "$here")")
work=$top/build/mutants
kernel=$("$top/selftests/qemu/kernel.sh")
mkdir -p "$work"
killed=0
survived=0
broken=0

# build DIR: a module from the sources as they are in DIR
build() {
	make -s -C "$kernel/lib/modules/$(< "$kernel/version")/build" \
		M="$1" modules > "$1/build.log" 2>&1
}

fresh() {
	rm -rf "$1"
	mkdir -p "$1"
	cp -r "$top/Kbuild" "$top/include" "$top/drivers" "$1/"
	find "$1" -name '*.o' -delete
}

# try DIR TEST: does the test pass with the module of DIR?
try() {
	local vtime=

	case $2 in
	vt_*) vtime=1 ;;
	esac
	VTIME=$vtime MODULE=$1/drivers/net/chimney/chimney.ko TIMEOUT=900 \
		"$top/selftests/qemu/vm.sh" "selftests/$2" > "$1/test.log" 2>&1
}

mutant() {
	local name=$1 file=$2 script=$3 test=$4 dir=$work/$1

	fresh "$dir"
	sed -i "$script" "$dir/drivers/net/chimney/$file"
	if cmp -s "$dir/drivers/net/chimney/$file" \
		"$top/drivers/net/chimney/$file" || ! build "$dir"; then
		echo "BROKEN   $name: does not apply or build any more"
		broken=$((broken + 1))
	elif try "$dir" "$test"; then
		echo "SURVIVED $name: $test did not notice"
		survived=$((survived + 1))
	else
		echo "killed   $name: $(grep -m1 '^ *not ok' "$dir/test.log" ||
			tail -n 1 "$dir/test.log")"
		killed=$((killed + 1))
	fi
}

trim() {
	local s=$1

	s=${s#"${s%%[![:space:]]*}"}
	printf '%s' "${s%"${s##*[![:space:]]}"}"
}

"$top/selftests/qemu/build.sh"
declare -A sound
while IFS= read -r line <&3; do
	case $line in
	'#'* | '') continue ;;
	esac
	name=$(trim "${line%% | *}")
	rest=${line#* | }
	file=$(trim "${rest%% | *}")
	rest=${rest#* | }
	test=$(trim "${rest##* | }")
	script=$(trim "${rest% | *}")
	[ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
	if [ -z "${sound[$test]:-}" ]; then
		fresh "$work/none"
		build "$work/none"
		if try "$work/none" "$test"; then
			sound[$test]=1
		else
			echo "ALARM    $test fails on the unbroken sources"
			exit 1
		fi
	fi
	mutant "$name" "$file" "$script" "$test"
done 3< "$here/list"

echo "$killed killed, $survived survived, $broken broken"
[ $((survived + broken)) = 0 ]
