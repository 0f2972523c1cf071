#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the module's KUnit suites found when it was loaded: a test for each of
# their cases. The kernel and the module must be built with them.

. "$(dirname "$0")/lib.sh"

results=/sys/kernel/debug/kunit

some_suites() {
	[ "$#" -gt 0 ] || fail "no suite of the module in $results"
}

# What the kernel's log has of a suite
log_of() {
	dmesg | sed -n "s/^\[[^]]*\] //; /^ *# Subtest: $1\$/,/ok [0-9]* $1\$/p"
}

# Of what a failed case says the kernel keeps 512 bytes, which may be without
# the line that says so; the log has all of it, as long as it reaches back.
line_of() {
	grep -m 1 -E "^    (not )?ok $2 " "$results/$1/results" ||
		log_of "$1" | grep -m 1 -E "^    (not )?ok $2 " ||
		echo "    not ok $2 case_$2"
}

passed() {
	local suite=$1 line=$2

	[[ $line == '    ok '* ]] && return
	log_of "$suite" | grep -A 8 "# ${line##* }: " | head -n 40 || :
	fail "$line"
}

whole() {
	tail -n 1 "$results/$1/results" | grep -qE "^ok 1 $1\$" ||
		fail "not all of $1 has passed"
}

run_suite() {
	local suite=$1 cases number line

	cases=$(sed -n 's/^    1\.\.//p' "$results/$suite/results")
	for ((number = 1; number <= cases; number++)); do
		line=$(line_of "$suite" "$number")
		run "$suite: ${line##* }" passed "$suite" "$line"
	done
	run "$suite: all of it" whole "$suite"
}

suites=()
for dir in "$results"/chimney_*; do
	[ -e "$dir/results" ] && suites+=("${dir##*/}")
done
run "the module has suites" some_suites "${suites[@]}"
for suite in "${suites[@]}"; do
	run_suite "$suite"
done
finish
