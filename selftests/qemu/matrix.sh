#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: matrix.sh [KERNEL...]
#
# Every check on each kernel, one after the other (default 6.1 6.12 7), and a
# table of how many tests passed of how many.  TESTS as for check.sh.

set -u -o pipefail

cd "$(dirname "$(realpath "$0")")/../.." || exit 1
out=build/matrix
kernels=("$@")
[ $# -gt 0 ] || kernels=(6.1 6.12 7)
rm -rf "$out"
mkdir -p "$out"
rc=0
for v in "${kernels[@]}"; do
	k=$(selftests/qemu/kernel.sh "$v") || exit 1
	name=$(< "$k/version")
	echo "Linux $name"
	KERNEL=$v selftests/qemu/check.sh || rc=1
	cp -r build/log "$out/$name"
	names+=("$name")
done

echo
for name in "${names[@]}"; do
	sed "s/^/$name\t/" "$out/$name/all"
done | awk -F '\t' -v names="${names[*]}" '
	{
		if (!seen[$3]++)
			order[++n] = $3
		all[$3, $1]++
		good[$3, $1] += $2 == "PASS"
		total[$1]++
		passed[$1] += $2 == "PASS"
	}
	function row(what, f, i, g) {
		printf "%-20s", what
		for (i = 1; i <= k; i++)
			printf " %20s", f ? all[what, v[i]] ? \
				good[what, v[i]] "/" all[what, v[i]] : "-" : \
				passed[v[i]] "/" total[v[i]]
		print ""
	}
	END {
		k = split(names, v, " ")
		printf "%-20s", ""
		for (i = 1; i <= k; i++)
			printf " %20s", v[i]
		print ""
		for (i = 1; i <= n; i++)
			row(order[i], 1)
		row("all", 0)
	}' | tee "$out/table"
exit "$rc"
