#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Static checks; prints KTAP, one result per check.  Warnings are failures.

set -u -o pipefail

cd "$(dirname "$(realpath "$0")")/.." || exit 1
src=$(selftests/qemu/kernel.sh 6.1)/source || exit 1
read -ra kernels <<< "${KERNEL:-6.1 6.12}"
dir=build/lint
mkdir -p "$dir"
count=0
failed=0

# check NAME COMMAND...: passes if the command succeeds.
check() {
	local name=$1
	shift

	count=$((count + 1))
	if "$@" > "$dir/out" 2>&1 < /dev/null; then
		echo "ok $count $name"
	else
		head -n 60 "$dir/out" | sed 's/^/# /'
		echo "not ok $count $name"
		failed=$((failed + 1))
	fi
}

# Files of the project as they are now, also those not yet committed.
files() {
	git ls-files -co --exclude-standard -- "$@" | sort -u |
		while read -r f; do
			[ -f "$f" ] && echo "$f"
		done
}

shells() {
	files | while read -r f; do
		if [[ $f == *.sh ]] || head -c 64 "$f" | head -n 1 |
		   grep -aqE '^#!.*\b(ba)?sh\b'; then
			echo "$f"
		fi
	done
}

mapfile -t kernel < <(files drivers include | grep '\.[ch]$')
mapfile -t user < <(files tools selftests | grep '\.[ch]$')
mapfile -t makefiles < <(files Kbuild '*Makefile' '*Kconfig')
mapfile -t scripts < <(shells)
mapfile -t specs < <(files '*.yaml')
mapfile -t man < <(files 'tools/*.[1-9]' 'Documentation/*.[1-9]')
mapfile -t rst < <(files '*.rst')
mapfile -t texts < <(files '*.md' '*.rst' '*.[1-9]' '*.yaml')

# checkpatch IGNORED FILE...: says nothing where there is nothing to say, so
# any line is a finding.
checkpatch() {
	local types=COMMIT_LOG_LONG_LINE,MACRO_ARG_REUSE,ALLOC_SIZEOF_STRUCT
	local out

	types+=,NO_AUTHOR_SIGN_OFF,GIT_COMMIT_ID,CAMELCASE,FILE_PATH_CHANGES
	types+=,BAD_REPORTED_BY_LINK,$1
	shift
	out=$("$src/scripts/checkpatch.pl" --strict --no-tree --no-summary \
		--terse --max-line-length=80 --ignore "$types" --show-types \
		-f "$@" 2>&1)
	[ -z "$out" ] || { echo "$out"; return 1; }
}

# build_w1 KERNEL MAKE-ARGUMENT...: all findings come from one build in a copy.
build_w1() {
	local k rc

	k=$(selftests/qemu/kernel.sh "$1") || return 1
	shift
	rm -rf "$dir/module"
	selftests/qemu/module.sh "$k" "$PWD/$dir/module" W=1 "$@" \
		> "$dir/build.log" 2>&1
	rc=$?
	# pahole, of which it speaks first, is not needed.
	sed -e '/Skipping BTF generation/d' \
		-e '/pahole version differs/,/You are using/d' \
		"$dir/build.log" > "$dir/build.txt"
	if [ "$rc" -ne 0 ]; then
		cat "$dir/build.txt"
		return 1
	fi
	! grep -iE 'warning:|error:' "$dir/build.txt"
}

kernel_doc() {
	local out

	out=$("$src/scripts/kernel-doc" -none "$@" 2>&1)
	[ -z "$out" ] || { echo "$out"; return 1; }
}

none() {
	grep -nE "$@"
	[ $? -eq 1 ]
}

man_page() {
	local out

	for page; do
		out=$(LC_ALL=C.UTF-8 groff -man -Tutf8 -ww -z "$page" 2>&1
			LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 \
				man --warnings -E UTF-8 -l -Tutf8 -Z "$page" \
				2>&1 > /dev/null)
		[ -z "$out" ] || { echo "$page: $out"; return 1; }
	done
}

rst() {
	local page out

	for page; do
		out=$(rst2html --report=2 --halt=5 "$page" 2>&1 > /dev/null) ||
			{ echo "$out"; return 1; }
		out=$(grep -E '^[^:]*:[0-9]+: ' <<< "$out" |
			grep -vE 'Unknown (interpreted text role|directive)')
		[ -z "$out" ] || { echo "$out"; return 1; }
	done
}

listed() {
	grep -qE "^	$1 \\\\$" selftests/Makefile && return
	echo "selftests/Makefile does not name $1"
	return 1
}

# Every test is named in the Makefile, every built program in .gitignore, and
# the Makefile's lists are sorted.
selftest_lists() {
	local f name bad=0

	for f in $(files selftests | grep -E '^selftests/[^/]+\.(sh|c)$'); do
		name=${f##*/}
		case $name in lib.sh | lint.sh) continue ;; esac
		# Part of another program, not one by itself.
		if [[ $name == *.c ]] &&
		   grep -qE "^\\\$\\(OUTPUT\\)/.*:.*\s$name" < <(
			sed ':a; /\\$/N; s/\\\n//; ta' selftests/Makefile); then
			continue
		fi
		listed "${name%.c}" || bad=1
		if [[ $name == *.c ]] &&
		   ! grep -qx "/${name%.c}" selftests/.gitignore; then
			echo "selftests/.gitignore does not name ${name%.c}"
			bad=1
		fi
		if [[ $name == *.sh && $name != *lib.sh && ! -x $f ]]; then
			echo "$f is not executable"
			bad=1
		fi
	done
	awk '/:= \\$/ { list = $1; last = ""; next }
		/^# end of/ { list = "" }
		list && $1 !~ /^\$/ {
			if ($1 < last) {
				print list " is not sorted: " $1
				bad = 1
			}
			last = $1
		}
		END { exit bad }' selftests/Makefile || bad=1
	LC_ALL=C sort -c selftests/config || bad=1
	return "$bad"
}

fixed_sleeps() {
	git grep --untracked -nE '^[[:space:]]*sleep [0-9]' -- selftests
	[ $? -eq 1 ]
}

echo "TAP version 13"
if [ "${#kernel[@]}" -gt 0 ]; then
	# compat.h is what versions are asked for in.
	mapfile -t others < <(printf '%s\n' "${kernel[@]}" | grep -v /compat.h)
	check "checkpatch: kernel" checkpatch "" "${others[@]}"
	check "checkpatch: compat.h" checkpatch LINUX_VERSION_CODE \
		drivers/net/chimney/compat.h
fi
# User space has no BIT() and no __printf().
if [ "${#user[@]}" -gt 0 ]; then
	check "checkpatch: user space" checkpatch \
		BIT_MACRO,PREFER_DEFINED_ATTRIBUTE_MACRO "${user[@]}"
fi
# "mount -t proc proc /proc" repeats no word, "cp Makefile" is no header, and
# function names are no typing errors.
check "checkpatch: scripts and build files" checkpatch \
	REPEATED_WORD,EMBEDDED_FILENAME,TYPO_SPELLING \
	"${scripts[@]}" "${makefiles[@]}"
if [ -e drivers/net/chimney/Makefile ]; then
	for v in "${kernels[@]}"; do
		# Kernels with compilers of their own have no sparse.
		if [ -d "$(selftests/qemu/kernel.sh "$v")/chroot" ]; then
			check "build for $v with W=1" build_w1 "$v"
		else
			check "build for $v with W=1, sparse" build_w1 "$v" \
				C=2 CF=-D__CHECK_ENDIAN__
		fi
	done
fi
if [ "${#kernel[@]}" -gt 0 ]; then
	check "kernel-doc" kernel_doc "${kernel[@]}"
	check "no module parameters" none '\bmodule_param' "${kernel[@]}"
	mapfile -t dotc < <(files drivers | grep '\.c$')
	check "no inline in C files" none '\binline\b' "${dotc[@]}"
	mapfile -t host < <(files drivers | grep '/host_[^/]*\.c$')
	check "host side does not include nic.h" \
		none '#include "nic\.h"' "${host[@]}" /dev/null
	check "plain reference counting" \
		none '\bdev_(hold|put)\(' "${kernel[@]}"
fi
# Test functions are called by name (SC2317), with or without arguments
# (SC2119, SC2120).
check "shellcheck" shellcheck -x -e SC2317,SC2119,SC2120 \
	-P SCRIPTDIR -P selftests "${scripts[@]}"
if [ "${#specs[@]}" -gt 0 ]; then
	check "yamllint" yamllint -s -d \
		'{extends: default, rules: {line-length: {max: 80}}}' \
		"${specs[@]}"
fi
if [ "${#man[@]}" -gt 0 ]; then
	check "manual page" man_page "${man[@]}"
fi
if [ "${#rst[@]}" -gt 0 ]; then
	check "reStructuredText" rst "${rst[@]}"
fi
# The dictionary takes checkpatch seconds for each file, codespell none.
check "spelling" codespell -L inh "${texts[@]}" "${kernel[@]}" "${user[@]}" \
	"${scripts[@]}" "${makefiles[@]}"
check "lists of selftests" selftest_lists
check "no fixed sleeps" fixed_sleeps
echo "1..$count"
[ "$failed" -eq 0 ]
