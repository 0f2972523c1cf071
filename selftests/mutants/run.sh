#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: run.sh [NAME...]
#
# Applies the breaks of "list", one at a time, to a copy of the sources, runs
# the test that should notice, and says which did not.  Each test first meets
# the unbroken sources: there it may notice nothing.  As many tests as there are
# processors are at work side by side, each with its breaks.

set -eu -o pipefail

self=$(realpath "$0")
here=$(dirname "$self")
top=$(dirname "$(dirname "$here")")
folder=drivers/net/chimney
all=$top/build/mutants
sound=$all/sound
work=$all/${MUTANTS_OF:-}

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

# noticed: is that what the log of a test says, or could it not be run at all?
noticed() {
	local words='the kernel complained|rmmod failed|processes do not die'

	grep -qE "^not ok|^vm: FAILED: ($words)" "$work/test.log"
}

# try TEST: does it pass with that module? Its first complaint is enough.
try() {
	local log=$work/test.log vtime="" vm rc=0

	: > "$log"
	case $1 in
	vt_*) vtime=1 ;;
	esac
	KERNEL=$(kernel_for "$1") VTIME=$vtime TIMEOUT=1800 \
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

# say VERDICT TEXT: as it happens, and to be counted.
say() {
	printf '%-8s %s\n' "$1" "$2" | tee -a "$all/verdicts"
}

mutant() {
	local name=$1 file=$folder/$2 script=$3 test=$4

	sed -i "$script" "$work/$file"
	if cmp -s "$work/$file" "$sound/$file" || ! build "$test"; then
		say BROKEN "$name: does not apply or build any more"
	elif [ "$test" = kunit.sh ]; then
		cp "$work/$folder/chimney.ko" "$work/ko/$name.ko"
	elif try "$test"; then
		say SURVIVED "$name: $test did not notice"
	elif ! noticed; then
		say ALARM "$name: $(tail -n 1 "$work/test.log")"
	else
		say killed "$name: $(grep -m1 -E '^ *not ok|^vm: FAILED' \
			"$work/test.log")"
	fi
	cp "$sound/$file" "$work/$file"
}

trim() {
	local s=$1

	s=${s#"${s%%[![:space:]]*}"}
	printf '%s' "${s%"${s##*[![:space:]]}"}"
}

# each COMMAND NAME...: runs it with name, file, script and test of each break
# asked for.
each() {
	local do=$1 line rest name file test
	shift

	while IFS= read -r line <&3; do
		case $line in
		'#'* | '') continue ;;
		esac
		name=$(trim "${line%% | *}")
		rest=${line#* | }
		file=$(trim "${rest%% | *}")
		rest=${rest#* | }
		test=$(trim "${rest##* | }")
		[ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
		"$do" "$name" "$file" "$(trim "${rest% | *}")" "$test"
	done 3< "$here/list"
}

# KUnit has run when a module is loaded: one guest tries them all, but for those
# that come after one it does not survive.
try_kunit() {
	local log=$work/test.log name verdict

	while [ -n "$(ls "$work/ko")" ]; do
		KERNEL=debug NOMOD=1 TIMEOUT=3600 \
			"$top/selftests/qemu/vm.sh" \
			"selftests/mutants/kunit.sh $work/ko" > "$log" 2>&1 || :
		if ! grep -q '^begin ' "$log"; then
			say ALARM "kunit.sh: the guest did not start"
			return 1
		fi
		while read -r name; do
			rm "$work/ko/$name.ko"
			verdict=$(sed -n "s/^end $name: //p" "$log")
			if [ -z "$verdict" ] && noticed; then
				verdict=$(tail -n 1 "$log")
			fi
			case $name@$verdict in
			0-sound@passed)
				;;
			0-sound@*)
				say ALARM "kunit.sh: unbroken sources: $verdict"
				return 1
				;;
			*@passed)
				say SURVIVED "$name: kunit.sh did not notice"
				;;
			*@ | *@*"did not run")
				say ALARM "$name: $(tail -n 1 "$log")"
				;;
			*)
				say killed "$name: $verdict"
				;;
			esac
		done < <(sed -n 's/^begin //p' "$log")
	done
}

# The breaks of one test
of_test() {
	[ "$4" != "$MUTANTS_OF" ] || mutant "$@"
}

if [ -n "${MUTANTS_OF:-}" ]; then
	mkdir "$work"
	cp -r "$sound/." "$work/"
	build "$MUTANTS_OF"
	if [ "$MUTANTS_OF" = kunit.sh ]; then
		mkdir "$work/ko"
		cp "$work/$folder/chimney.ko" "$work/ko/0-sound.ko"
		each of_test "$@"
		try_kunit
		exit
	fi
	if ! try "$MUTANTS_OF"; then
		say ALARM "$MUTANTS_OF fails on the unbroken sources"
		tail -n 5 "$work/test.log"
		exit 1
	fi
	each of_test "$@"
	exit
fi

rm -rf "$all"
mkdir -p "$sound"
# This takes hours, in which people work.
cp -r "$top/Kbuild" "$top/include" "$top/drivers" "$sound/"
find "$sound" -name '*.o' -delete
"$top/selftests/qemu/build.sh"
name_mutant() { echo "$1"; }
asked=$(each name_mutant "$@")
for name; do
	grep -qxF -e "$name" <<< "$asked" || say BROKEN "$name: not in the list"
done
name_test() { echo "$4"; }
# Those with the most breaks begin.
each name_test "$@" | sort | uniq -c | sort -k 1,1nr | while read -r _ test; do
	echo "$test"
done > "$all/tests"
rc=0
xargs -P "$(nproc)" -I '{}' env MUTANTS_OF='{}' "$self" "$@" \
	< "$all/tests" || rc=1
count() { grep -c "^$1 " "$all/verdicts" || :; }
echo "$(count killed) killed, $(count SURVIVED) survived," \
	"$(count BROKEN) broken, $(count ALARM) alarms"
[ "$rc" = 0 ] && ! grep -qv '^killed ' "$all/verdicts" &&
	[ "$(count killed)" = "$(wc -l <<< "$asked")" ]
