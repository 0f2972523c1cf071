#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Very many hand-overs of connections that stream both ways over a bad wire:
# every byte arrives once and in order, and nobody resets.
#
# usage: soak.sh [-n HAND-OVERS] [-s SEED]
#
# Down is one, up is another.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=selftests/stream_lib.sh
. "$(dirname "$0")/stream_lib.sh"

handovers=12000
seed=1
while getopts n:s: opt; do
	case $opt in
	n) handovers=$OPTARG ;;
	s) seed=$OPTARG ;;
	*) exit 2 ;;
	esac
done
total=0

# share HAND-OVERS STREAM-OPTIONS NETEM-OPTION...: a tenth of them with queues
# as long as TCP makes them, which take long to move, the others with short
# ones. Some connections may be in the NIC when they end.
share() {
	local cycles=$((($1 + 1) / 2)) options=$2 cycled=0 streams=0 how ns
	shift 2

	topo_pair
	netem "$@"
	for how in "-c $((cycles / 10)) -g 500" \
		"-c $((cycles - cycles / 10)) -g 20 -B 8192"; do
		# shellcheck disable=SC2086
		stream $options -n 4 $how -s "$seed"
		is "$(result left)" 0 "uploaded by themselves"
		cycled=$((cycled + $(result cycles)))
		streams=$((streams + 1))
	done
	[ "$cycled" -ge "$cycles" ] || fail "cycles: $cycled"
	between "$(counter offloads)" "$cycled" $((cycled + 4 * streams)) \
		offloads
	is "$(counter host_swallowed)" 0 "sent by the host"
	for ns in "$H" "$P"; do
		is "$(snmp "$ns" TcpEstabResets)" 0 "resets in $ns"
	done
	echo "$((cycled * 2))" > "$ktap_tmp/handovers"
}

# Percent of the hand-overs, whose connections, and on what wire.
while IFS='|' read -r part options wire; do
	echo 0 > "$ktap_tmp/handovers"
	# shellcheck disable=SC2086
	run "stream $options, $wire" share $((handovers * part / 100)) \
		"$options" $wire
	total=$((total + $(cat "$ktap_tmp/handovers")))
done <<- END
	15|-4|loss 5%
	15|-6 -l|delay 2ms reorder 30% 50%
	15|-m|duplicate 20%
	15|-4 -l|delay 3ms 2ms
	20|-6|delay 2ms 1ms loss 5% duplicate 2% reorder 10%
	20|-m -l|loss 4% 50% duplicate 2% corrupt 1%
END
echo "# figure: $total hand-overs"
finish
