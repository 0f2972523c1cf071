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
folder=drivers/net/chimney
work=$top/build/mutants
rm -rf "$work"
mkdir -p "$work"
cp -r "$top/Kbuild" "$top/include" "$top/drivers" "$work/"
find "$work" -name '*.o' -delete
killed=0
survived=0
broken=0

# The kernel for TEST or TEST@KERNEL: KUnit needs the debug kernel, and a module
# built with its suites.
kernel_for() {
	case $1 in
	*@*) echo "${1#*@}" ;;
	failnth | kunit.sh) echo debug ;;
	*) echo "${KERNEL:-6.1}" ;;
	esac
}

# build TEST: a module for it from the copy as it is
build() {
	local k args=()

	k=$("$top/selftests/qemu/kernel.sh" "$(kernel_for "$1")")
	[ "$1" != kunit.sh ] || args=(CONFIG_CHIMNEY_KUNIT_TEST=y)
	make -s -C "$k/lib/modules/$(< "$k/version")/build" M="$work" \
		"${args[@]}" modules > "$work/build.log" 2>&1
}

# try TEST: does it pass with that module? Its first complaint is enough.
try() {
	local log=$work/test.log vtime="" vm rc=0

	: > "$log"
	case $1 in
	vt_*) vtime=1 ;;
	esac
	KERNEL=$(kernel_for "$1") VTIME=$vtime TIMEOUT=900 \
		MODULE=$work/$folder/chimney.ko setsid \
		"$top/selftests/qemu/vm.sh" "selftests/${1%@*}" >> "$log" 2>&1 &
	vm=$!
	if grep -q '^not ok' < <(tail -n +1 -f --pid="$vm" "$log"); then
		kill -- "-$vm" 2> /dev/null || :
		wait "$vm" || :
		return 1
	fi
	wait "$vm" || rc=$?
	[ "$rc" = 0 ] || echo "$1: exit status $rc" >> "$log"
	return "$rc"
}

mutant() {
	local name=$1 file=$folder/$2 script=$3 test=$4

	sed -i "$script" "$work/$file"
	if cmp -s "$work/$file" "$top/$file" || ! build "$test"; then
		echo "BROKEN   $name: does not apply or build any more"
		broken=$((broken + 1))
	elif try "$test"; then
		echo "SURVIVED $name: $test did not notice"
		survived=$((survived + 1))
	else
		echo "killed   $name: $(grep -m1 '^ *not ok' "$work/test.log" ||
			tail -n 1 "$work/test.log")"
		killed=$((killed + 1))
	fi
	cp "$top/$file" "$work/$file"
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
		build "$test"
		if try "$test"; then
			sound[$test]=1
		else
			echo "ALARM    $test fails on the unbroken sources"
			tail -n 5 "$work/test.log"
			exit 1
		fi
	fi
	mutant "$name" "$file" "$script" "$test"
done 3< "$here/list"

echo "$killed killed, $survived survived, $broken broken"
[ $((survived + broken)) = 0 ]
