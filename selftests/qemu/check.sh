#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs the static checks and every test program, each group of programs in a
# guest of its own, and adds up the individual results.  The last line is
# "N passed, N failed, N skipped"; success is no failure and no skip.
#
# Environment:
#   TESTS="a.sh b"	run these programs only ("lint" names the static checks)
#   TIMEOUT=N		seconds of real time for each guest, default 3600

set -u -o pipefail

cd "$(dirname "$(realpath "$0")")/../.." || exit 1
qemu=selftests/qemu
mkdir -p build/log
exec 8> build/.check.lock
if ! flock -n 8; then
	echo "Waiting for another run in this checkout" >&2
	flock 8
fi
log=build/log
rm -f "$log"/*.sum "$log"/{lint,rt,vt}.*

finish() {
	local failed passed skipped

	cat "$log"/*.sum > "$log/all" 2> /dev/null
	passed=$(grep -c '^PASS' "$log/all")
	failed=$(grep -c '^FAIL' "$log/all")
	skipped=$(grep -c '^SKIP' "$log/all")
	if [ $((failed + skipped)) -gt 0 ]; then
		echo
		echo "Not passed:"
		sed -n '/^PASS/!s/^\([A-Z]*\)\t\([^\t]*\)\t/  \1 \2: /p' \
			"$log/all"
		echo "Again:"
		grep -v '^PASS' "$log/all" | cut -f 2 | sort -u |
		while read -r prog; do
			case $prog in
			lint | build | guest-*) echo "  make ${prog%%-*}" ;;
			vt_*) echo "  make vm VTIME=1 RUN=selftests/$prog" ;;
			*) echo "  make vm RUN=selftests/$prog" ;;
			esac
		done | sed 's/make build/make all/; s/make guest/make check/'
		echo "Logs: $log"
	fi
	echo "$passed passed, $failed failed, $skipped skipped" |
		tee "$log/total"
	[ "$failed" -eq 0 ] && [ "$skipped" -eq 0 ] && [ "$passed" -gt 0 ]
	exit
}

wanted() {
	[ -z "${TESTS:-}" ] || [[ " $TESTS " == *" $1 "* ]]
}

fail() {
	printf 'FAIL\t%s\t%s\n' "$1" "$2" >> "$log/$1.sum"
}

k=$("$qemu/kernel.sh" "${KERNEL:-6.1}") || { fail build kernel; finish; }
ksft=$k/source/tools/testing/selftests
"$qemu/build.sh" || { fail build "tool and tests"; finish; }
module=
if [ -z "${NOMOD:-}" ]; then
	module=$("$qemu/module.sh" "$k") || { fail build module; finish; }
fi

# stage NAME LIST-TARGET: what the kernel's "make install" makes, for the
# programs the target lists; their names are left in "programs".
stage() {
	local dir=build/stage/$1 test

	rm -rf "$dir"
	mkdir -p "$dir"
	# A test finds the project above its folder, as in the checkout.
	ln -s ../../../{tools,include,Documentation} "$dir/"
	rsync -a "$ksft/kselftest" "$ksft/run_kselftest.sh" "$dir/"
	make -s -C selftests KSFT="$ksft" INSTALL_PATH="$PWD/$dir/chimney" \
		install
	programs=()
	while read -r test; do
		test=${test#*:}
		wanted "$test" || continue
		programs+=("$test")
		echo "chimney:$test"
	done < <(make -s -C selftests KSFT="$ksft" COLLECTION=chimney "$2") \
		> "$dir/kselftest-list.txt"
}

# guest NAME PROGRAM...: the programs of a stage in one boot.
guest() {
	local name=$1 rc
	shift

	MODULE=$module LOG=$PWD/$log/$name.console TIMEOUT=${TIMEOUT:-3600} \
		"$qemu/vm.sh" "build/stage/$name/run_kselftest.sh" \
		2> "$log/$name.err" |
		"$qemu/ktap.py" --tag "$name" --log "$log/$name.tap" \
			--sum "$log/$name.sum" "$@"
	rc=${PIPESTATUS[0]}
	if [ "$rc" -ne 0 ]; then
		cat "$log/$name.err"
		fail "guest-$name" "$(tail -n 1 "$log/$name.err")"
	fi
}

# again NAME LIST-TARGET: a program that failed runs once more, alone, as the
# network maintainers' own tests do: on a busy machine it may have had too
# little of it. Both runs are told. A guest that broke down is not forgiven.
again() {
	local name=$1 sum=$log/$1.sum prog failed vtime=

	[ -s "$sum" ] || return 0
	[ ! -e "$log/guest-$name.sum" ] || return 0
	[ "$name" = rt ] || vtime=1
	mapfile -t failed < <(grep -v '^PASS' "$sum" | cut -f 2 | sort -u)
	for prog in "${failed[@]}"; do
		TESTS=$prog stage "$name-again" "$2"
		[ "${#programs[@]}" = 1 ] || continue
		[ -z "$vtime" ] || echo timeout=100000 \
			> "build/stage/$name-again/chimney/settings"
		echo "Once more, alone: $prog"
		VTIME=$vtime guest "$name-again" "$prog"
		mv "$log/$name-again.sum" "$log/again" || continue
		if ! grep -q -v '^PASS' "$log/again"; then
			echo "Unsteady: $prog passed when run alone; before:"
			awk -F '\t' -v p="$prog" '$1 != "PASS" && $2 == p {
				print "  " $3 }' "$sum"
			awk -F '\t' -v p="$prog" '$2 != p' "$sum" > "$sum.new"
			cat "$log/again" >> "$sum.new"
			mv "$sum.new" "$sum"
		fi
	done
}

pids=()
trap 'kill "${pids[@]}" 2> /dev/null' EXIT
trap 'exit 130' INT TERM HUP

if wanted lint; then
	selftests/lint.sh 2>&1 |
		"$qemu/ktap.py" --tag static --plain --log "$log/lint.tap" \
			--sum "$log/lint.sum" lint
fi

stage vt emit_vtime_tests
if [ "${#programs[@]}" -gt 0 ]; then
	# In a day of virtual time nothing is slow, only stuck.
	echo timeout=100000 > build/stage/vt/chimney/settings
	VTIME=1 guest vt "${programs[@]}" &
	pids+=($!)
fi
stage rt emit_tests
if [ "${#programs[@]}" -gt 0 ]; then
	guest rt "${programs[@]}" &
	pids+=($!)
fi
wait "${pids[@]}"
pids=()
again rt emit_tests
again vt emit_vtime_tests
finish
