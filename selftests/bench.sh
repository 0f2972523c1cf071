#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: bench.sh [PART]...	in virtual time: late
#				else: move slab pong stream
#
# Measurements, run by "make bench": the NIC against the same guest's native
# TCP or TCP_REPAIR, in turn, over the same device.  A ratio says more than a
# figure, for it depends less on the machine.  Nothing fails for being slow.

# Not a test: no KTAP.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh" > /dev/null

tool=$(dirname "$0")/bench_tool
export TZ=UTC0

# row WHAT UNIT NATIVE NIC [1]: the ratio tells how many times better the NIC
# is; with 1, less is better.
row() {
	awk -v what="$1" -v unit="$2" -v a="$3" -v b="$4" -v inverse="${5:-}" '
		BEGIN {
			r = a == "-" ? 0 : inverse ? a / b : b / a
			r = sprintf(r < 100 ? "%.2f" : "%.0f", r)
			printf "%-32s %10s %10s %-6s %8s\n", what, a, b, unit, r
		}'
}

# median NUMBER...
median() {
	printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"
}

setup() {
	# shellcheck disable=SC2119
	topo_pair
	for ns in "$H" "$P"; do
		in_ns "$ns" sysctl -qw net.core.somaxconn=4096 \
			net.ipv4.tcp_max_syn_backlog=4096 \
			net.ipv4.ip_local_port_range="10000 65535"
	done
	background inp "$tool" serve 7
	wait_port "$P" 7
}

# lateness FILE IDLE: how many seconds after its time a connection's first probe
# was sent.  Its time is IDLE s after the last segment of the peer.
lateness() {
	tcpdump -tt -nr "$1" 2> /dev/null | awk -v idle="$2" '
		index($3, "192.0.2.2.7") == 1 {
			sub(/:$/, "", $5)
			heard[$5] = $1
			next
		}
		heard[$3] && $1 - heard[$3] > idle - 1 && !seen[$3]++ {
			printf "%.6f\n", $1 - heard[$3] - idle
		}' | sort -n
}

# late_one IDLE GAP LONGEST [nic]: 1,000 connections opened GAP ms apart, and a
# probe of each, LONGEST s late at most.
late_one() {
	local wire=$ktap_tmp/wire.$1${4:-}

	capture "$wire" "$H" veth0 -B 65536 -s 128 tcp
	inh "$tool" idle 1000 "$2" "$1" ${4:+"$4"} > "$wire.pid" &
	wait_for 1 600000 grep -q . "$wire.pid"
	pause $(($1 + $3 + 2))
	capture_stop "$wire" 2> /dev/null
	kill "$(< "$wire.pid")"
	lateness "$wire" "$1" > "$wire.late"
}

# percentile FILE P: of sorted numbers, in ms
percentile() {
	awk -v p="$2" '{ v[NR] = $1 }
		END {
			printf "%.3f", v[int(p * (NR - 1) / 100) + 1] * 1000
		}' "$1"
}

# Of Linux, a timer of 17 s is up to 2 s late, and so on.
part_late() {
	local idle gap longest p native nic

	while read -r idle gap longest; do
		native=$ktap_tmp/wire.$idle.late
		nic=$ktap_tmp/wire.${idle}nic.late
		late_one "$idle" "$gap" "$longest"
		late_one "$idle" "$gap" "$longest" nic
		for p in 50 99.9 100; do
			row "keepalive of $idle s late, p$p" ms \
				"$(percentile "$native" "$p")" \
				"$(percentile "$nic" "$p")" 1
		done
		echo "  ($(wc -l < "$native") and $(wc -l < "$nic") probes)"
	done <<- END
		17 17 3
		340 17 17
		7200 131 132
	END
}

part_move() {
	local moves

	read -r -a moves <<< "$(inh "$tool" move 128 2)"
	row "moves, TCP_REPAIR / down and up" /s "${moves[0]}" "${moves[1]}"
	row "moves, many at once" /s "${moves[0]}" "${moves[2]}"
}

part_slab() {
	row "memory beyond the socket" bytes - "$(inh "$tool" slab 20000)"
}

part_pong() {
	local time

	read -r -a time <<< "$(inh "$tool" pong 2000)"
	row "there and back, 1 byte" us "${time[@]}" 1
}

offload_port() {
	inh chimney conn offload src "192.0.2.1:$1" > /dev/null 2>&1
}

cport=20000

# stream MODE [OPTION]: Mbit/s of iperf3, one connection, without its first
# second.
stream() {
	local out=$ktap_tmp/iperf mode=$1
	shift

	cport=$((cport + 1))
	background inp iperf3 -s -1 > /dev/null
	wait_port "$P" 5201
	inh iperf3 -c 192.0.2.2 --cport "$cport" -t 3 -O 1 -J "$@" > "$out" &
	local pid=$!
	[ "$mode" = native ] || slowwait 5 offload_port "$cport" ||
		echo "not offloaded" >&2
	wait "$pid"
	rate=$(jq '.end.sum_received.bits_per_second / 1e6 | floor' "$out")
}

part_stream() {
	local option what="to the peer" native nic

	for option in "" -R; do
		native=()
		nic=()
		for _ in 1 2 3 4 5; do
			stream native $option
			native+=("$rate")
			stream nic $option
			nic+=("$rate")
		done
		row "stream $what" Mbit/s "$(median "${native[@]}")" \
			"$(median "${nic[@]}")"
		what="from the peer"
	done
}

if [ $# -eq 0 ]; then
	if [ -n "${CHIMNEY_VTIME:-}" ]; then
		set -- late
	else
		set -- move slab pong stream
	fi
fi
setup
printf '%-32s %10s %10s %-6s %8s\n' "" native NIC "" ratio
for part; do
	"part_$part"
done
ktap_finished=1
