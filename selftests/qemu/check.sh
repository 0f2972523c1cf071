#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs the static checks and every test program, each group of programs in a
# guest of its own, and adds up the individual results.  The last line is
# "N passed, N failed, N skipped"; success is no failure and no skip.  What is
# to run and leaves no result has failed.
#
# Without KERNEL everything runs on Linux 6.1, and what meets most of the code
# that differs between kernels once more on a newer one.
#
# Environment:
#   KERNEL=V		everything on this kernel only: version prefix, or
#			"debug": one that watches itself, and with it the
#			tests that need one
#   TESTS="a.sh b"	run these programs only ("lint" names the static checks)
#   TIMEOUT=N		seconds of real time for each guest, default 3600;
#			10800 on a kernel that watches itself

set -u -o pipefail

cd "$(dirname "$(realpath "$0")")/../.." || exit 1
qemu=selftests/qemu
mkdir -p build/log
exec 8> build/.check.lock
if ! flock -n 8; then
	echo "Waiting for another run in this checkout" >&2
	flock 8
fi
# Neither another module nor part of a test passes for all of it.
unset MODULE NOMOD CHIMNEY_MODULE CHIMNEY_VTIME "${!KSELFTEST_@}"
log=build/log
unsteady=
lost=
declare -A programs=()
rm -f "$log"/*.{sum,tap,err,console} "$log"/{all,total,unsteady}
rm -rf build/stage
mkdir build/stage

finish() {
	local failed passed skipped prog on name

	for name in "${!programs[@]}"; do
		for prog in ${programs[$name]}; do
			grep -qx "$prog\(@.*\)\?" \
				< <(cut -f 2 "$log/$name.sum" 2> /dev/null) ||
				fail "$prog" "no result in guest $name" ||
				lost=1
		done
	done
	cat "$log"/*.sum > "$log/all" || lost=1
	passed=$(grep -c '^PASS' "$log/all")
	failed=$(grep -c '^FAIL' "$log/all")
	skipped=$(grep -c '^SKIP' "$log/all")
	if [ -n "$lost" ]; then
		echo "Some results could not be written"
		failed=$((failed + 1))
	fi
	if [ $((failed + skipped)) -gt 0 ]; then
		echo
		echo "Not passed:"
		sed -n '/^PASS/!s/^\([A-Z]*\)\t\([^\t]*\)\t/  \1 \2: /p' \
			"$log/all"
		echo "Again:"
		grep -v '^PASS' "$log/all" | cut -f 2 | sort -u |
		while IFS=@ read -r prog on; do
			on=${on:+ $on}
			[ -z "${KERNEL:-}" ] || on+=" KERNEL=$KERNEL"
			case $prog in
			lint | build | guest-*) echo "  make ${prog%%-*}" ;;
			vt_*) echo "  make vm$on VTIME=1 RUN=selftests/$prog" ;;
			*) echo "  make vm$on RUN=selftests/$prog" ;;
			esac
		done | sed 's/make build/make all/; s/make guest/make check/'
		echo "Logs: $log"
	fi
	[ -z "$unsteady" ] ||
		echo "Passed only when run alone:$unsteady" |
		tee "$log/unsteady"
	echo "$passed passed, $failed failed, $skipped skipped" |
		tee "$log/total" || exit 1
	[ "$failed" -eq 0 ] && [ "$skipped" -eq 0 ] && [ "$passed" -gt 0 ]
	exit
}

read -r -d '' -a tests <<< "${TESTS:-}"

wanted() {
	[ "${#tests[@]}" -eq 0 ] || [[ " ${tests[*]} " == *" $1 "* ]]
}

# fail WHAT TEXT: status 1 if even that is lost.
fail() {
	printf 'FAIL\t%s\t%s\n' "$1" "$2" >> "$log/$1.sum"
}

# The kselftest runner comes with 6.1's source.
main=${KERNEL:-6.1}
[ "$main" != debug ] || TIMEOUT=${TIMEOUT:-10800}
k=$("$qemu/kernel.sh" 6.1) || { fail build kernel; finish; }
ksft=$k/source/tools/testing/selftests
"$qemu/build.sh" || { fail build "tool and tests"; finish; }

# wanted_of LIST-TARGET: the programs of the Makefile's list that are asked for.
wanted_of() {
	local test all

	all=$(make -s -C selftests KSFT="$ksft" COLLECTION=chimney "$1") &&
		[ -n "$all" ] || return
	for test in $all; do
		if wanted "${test#*:}"; then
			echo "${test#*:}"
		fi
	done
}

# The tests take a quarter of an hour, in which people work: what is tested is
# what was there at the beginning.
#
# stage NAME PROGRAM...: what the kernel's "make install" makes, to run these,
# and the module for the guest's kernel.
stage() {
	local dir=build/stage/$1 k
	shift

	k=$("$qemu/kernel.sh" "${kernel[${dir##*/}]-$main}") || return
	mkdir "$dir" || return
	# A test finds the project above its folder, as in the checkout.
	ln -s ../../../{tools,include,Documentation} "$dir/" &&
		rsync -a "$ksft/kselftest" "$ksft/run_kselftest.sh" "$dir/" &&
		make -s -C selftests KSFT="$ksft" \
			INSTALL_PATH="$PWD/$dir/chimney" install &&
		printf 'chimney:%s\n' "$@" > "$dir/kselftest-list.txt" &&
		cp "$("$qemu/module.sh" "$k")" "$dir/" || return
	# In a day of virtual time nothing is slow, only stuck; a kernel that
	# watches itself is slow.
	if [ -n "${vtime[${dir##*/}]-}" ]; then
		echo timeout=100000 > "$dir/chimney/settings"
	elif [ "$main" = debug ]; then
		echo timeout=3000 > "$dir/chimney/settings"
	fi
}

# guest NAME PROGRAM...: these programs in one boot. Status 1 if what became of
# them is lost.
guest() {
	local name=$1 rc
	shift

	KERNEL=${kernel[$name]-$main} VTIME=${vtime[$name]-} \
		LEAKS=${leaks[$name]-} CPUS=${cpus[$name]-} WARM=1 \
		MODULE=build/stage/$name/chimney.ko \
		LOG=$PWD/$log/$name.console TIMEOUT=${TIMEOUT:-3600} \
		"$qemu/vm.sh" "build/stage/$name/run_kselftest.sh" \
		2> "$log/$name.err" |
		"$qemu/ktap.py" --tag "$name" --log "$log/$name.tap" \
			--sum "$log/$name.sum" "$@"
	rc=$((PIPESTATUS[0] + PIPESTATUS[1]))
	if [ "$rc" -ne 0 ]; then
		cat "$log/$name.err"
		fail "guest-$name" "$(tail -n 1 "$log/$name.err")"
	fi
}

# No two runs of these are the same: what they find once is there.
at_random=(races.sh soak.sh)

# again NAME: a program that failed runs once more, alone, as the network
# maintainers' own tests do: on a busy machine it may have had too little of
# it. Both runs are told. A guest that broke down is not forgiven, nor a program
# that did not end as one does.
again() {
	local name=$1 sum=$log/$1.sum prog failed hard

	hard="(^|: )(did not|no plan|planned|numbered|exit=|TIMEOUT)"

	[ -s "$sum" ] || return 0
	[ ! -e "$log/guest-$name.sum" ] || return 0
	mapfile -t failed < <(grep -v '^PASS' "$sum" | cut -f 2 | sort -u)
	for prog in "${failed[@]}"; do
		[[ " ${at_random[*]} " != *" $prog "* ]] || continue
		! awk -F '\t' -v p="$prog" -v hard="$hard" '
			$2 == p && $3 ~ hard { found = 1 }
			END { exit !found }' "$sum" || continue
		kernel[$name-again]=${kernel[$name]-$main}
		vtime[$name-again]=${vtime[$name]-}
		leaks[$name-again]=${leaks[$name]-}
		cpus[$name-again]=${cpus[$name]-}
		echo "Once more, alone: $prog"
		rm -rf "build/stage/$name-again"
		cp -a "build/stage/$name" "build/stage/$name-again" || continue
		echo "chimney:$prog" \
			> "build/stage/$name-again/kselftest-list.txt"
		guest "$name-again" "$prog" < /dev/null &
		pids=($!)
		wait "$!" || lost=1
		pids=()
		mv "$log/$name-again.sum" "$log/again" || continue
		if ! grep -q -v '^PASS' "$log/again"; then
			echo "Unsteady: $prog passed when run alone; before:"
			awk -F '\t' -v p="$prog" '$1 != "PASS" && $2 == p {
				print "  " $3 }' "$sum"
			unsteady+=" $prog"
			awk -F '\t' -v p="$prog" '$2 != p' "$sum" > "$sum.new"
			cat "$log/again" >> "$sum.new"
			mv "$sum.new" "$sum"
		fi
	done
}

# Guests: the programs of each by its name, and what is special about it. Those
# of a lane run one after the other, the lanes side by side: most of their time
# they wait.
declare -A kernel=() leaks=()
declare -A vtime=([vt]=1 [new-vt]=1)
lanes=("one" "two" "vt new-vt new" "four")
# A kernel that watches itself works all the time.
[ "$main" != debug ] || lanes=("leaks one vt" "debug four two")

# They do one thing at a time: a second processor helps nobody there, and
# what does not exist costs this machine nothing.
declare -A cpus=([one]=1 [leaks]=1 [four]=4)
one_tests=(cli_args cli.sh link.sh netlink_conn netlink_dev netlink_refuse
	refuse sock_api sock_close sock_opt sock_wait spec.sh update)

newer=6.12
newer_tests=(refuse sock_close sock_late update migrate.sh)
newer_vtime_tests=(vt_handover.sh)

# More of them at the same time, in other orders
four_tests=(races.sh)

# Where lost memory would be: wherever something is refused or torn down.
leak_tests=(refuse netlink_conn netlink_dev netlink_refuse update failnth)

# only PROGRAM...: those that are asked for.
only() {
	local prog

	for prog; do
		! wanted "$prog" || echo "$prog"
	done
}

plan() {
	local prog usual vtime_only debug_only

	usual=$(wanted_of emit_tests) &&
		vtime_only=$(wanted_of emit_vtime_tests) &&
		debug_only=$(wanted_of emit_debug_tests) || return
	programs[vt]=$vtime_only
	for prog in $usual; do
		# Where these run they are watched as well as elsewhere.
		[[ $main != debug || " ${leak_tests[*]} " != *" $prog "* ]] ||
			continue
		case " ${one_tests[*]} " in
		*" $prog "*) programs[one]+=" $prog" ;;
		*) programs[two]+=" $prog" ;;
		esac
	done
	programs[four]=$(only "${four_tests[@]}")
	if [ -z "${KERNEL:-}" ]; then
		kernel=([new]=$newer [new-vt]=$newer)
		programs[new]=$(only "${newer_tests[@]}")
		programs[new-vt]=$(only "${newer_vtime_tests[@]}")
	elif [ "$KERNEL" = debug ]; then
		leaks[leaks]=1
		programs[leaks]=$(only "${leak_tests[@]}")
		for prog in $debug_only; do
			case " ${leak_tests[*]} " in
			*" $prog "*) ;;
			*) programs[debug]+=" $prog" ;;
			esac
		done
	fi
}

lane() {
	local name progs rc=0

	for name; do
		read -r -d '' -a progs <<< "${programs[$name]-}"
		[ "${#progs[@]}" -eq 0 ] || guest "$name" "${progs[@]}" || rc=1
	done
	return "$rc"
}

lint() {
	selftests/lint.sh 2>&1 |
		"$qemu/ktap.py" --tag static --plain --log "$log/lint.tap" \
			--sum "$log/static.sum" lint
	return "${PIPESTATUS[1]}"
}

# Each lane is a process group, which ends as a whole.
set -m
pids=()
trap 'kill -- "${pids[@]/#/-}" 2> /dev/null' EXIT
trap 'exit 130' INT TERM HUP

plan || { fail build "lists of tests"; finish; }
for name in "${tests[@]}"; do
	[[ " lint ${programs[*]//$'\n'/ } " == *" $name "* ]] ||
		fail "$name" "no such test here" || lost=1
done
for name in "${!programs[@]}"; do
	read -r -d '' -a progs <<< "${programs[$name]}"
	[ "${#progs[@]}" -eq 0 ] || stage "$name" "${progs[@]}" ||
		{ fail build "guest $name"; finish; }
done
if wanted lint; then
	programs[static]=lint
	lint < /dev/null &
	pids+=($!)
fi
for name in "${lanes[@]}"; do
	# shellcheck disable=SC2086
	lane $name < /dev/null &
	pids+=($!)
done
for pid in "${pids[@]}"; do
	wait "$pid" || lost=1
done
pids=()
for name in "${!programs[@]}"; do
	[ "$name" = static ] || again "$name"
	# What failed on the other kernel, or with more CPUs, is told apart.
	case $name in
	new*) where=KERNEL=$newer ;;
	four) where=CPUS=${cpus[four]} ;;
	*) continue ;;
	esac
	[ ! -e "$log/$name.sum" ] ||
		sed -i -E "s/^([A-Z]+\t[^\t]*)/\1@$where/" "$log/$name.sum"
done
finish
