#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the module's KUnit suites found when it was loaded: a test for each of
# their cases. The kernel and the module must be built with them.

. "$(dirname "$0")/lib.sh"

results=/sys/kernel/debug/kunit

all_suites() {
	local all="host_state nic_conn nic_input nic_output nic_reasm nic_timer"

	is "$*" "$all ticks"
}

# What the kernel's log has of a suite
log_of() {
	dmesg | sed -n "s/^\[[^]]*\] //; /^ *# Subtest: $1\$/,/ok [0-9]* $1\$/p"
}

# Of what a failed case says the kernel keeps 512 bytes, which may be without
# the line that says so; the log has all of it, as long as it reaches back, and
# also of when the module was loaded before.
line_of() {
	log_of "$1" | grep -E "^    (not )?ok $2 " | tail -n 1 | grep . ||
		echo "    not ok $2 case_$2"
}

failed() {
	local suite=$1 line=$2

	log_of "$suite" | grep -A 8 "# ${line##* }: " | head -n 40 || :
	fail "$line"
}

whole() {
	[ "$2" -gt 0 ] || fail "$1 has no cases"
	tail -n 1 "$results/$1/results" | grep -qE "^ok 1 $1\$" ||
		fail "not all of $1 has passed"
}

# Alone in its line: the next may follow where 512 bytes have ended.
result='^    (not )?ok ([0-9]+) [^ ]+( #.*)?$'

# What has passed is not worth a process for each: there are many.
run_suite() {
	local suite=$1 cases=0 number line
	local lines=()

	while IFS= read -r line; do
		if [[ $line =~ ^\ {4}1\.\.([0-9]+) ]]; then
			cases=${BASH_REMATCH[1]}
		elif [[ $line =~ $result ]]; then
			lines[BASH_REMATCH[2]]=$line
		fi
	done < <(cat "$results/$suite/results")
	for ((number = 1; number <= cases; number++)); do
		line=${lines[number]-$(line_of "$suite" "$number")}
		if [[ $line == '    ok '* && $line != *'# SKIP'* ]]; then
			ktap_result 0 "$suite: ${line##* }"
		else
			run "$suite: ${line##* }" failed "$suite" "$line"
		fi
	done
	run "$suite: all of it" whole "$suite" "$cases"
}

suites=()
for dir in "$results"/chimney_*; do
	[ -e "$dir/results" ] && suites+=("${dir##*/chimney_}")
done
run "the module has its suites" all_suites "${suites[@]}"
for suite in "${suites[@]}"; do
	run_suite "chimney_$suite"
done
finish
