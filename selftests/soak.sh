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

handovers=6000
seed=1
while getopts n:s: opt; do
	case $opt in
	n) handovers=$OPTARG ;;
	s) seed=$OPTARG ;;
	*) exit 2 ;;
	esac
done
total=0

# share HAND-OVERS STREAM-OPTIONS NETEM-OPTION...: some connections may be in
# the NIC when they end.
share() {
	local cycles=$((($1 + 1) / 2)) options=$2 ns
	shift 2

	topo_pair
	netem "$@"
	# shellcheck disable=SC2086
	stream $options -n 4 -g 500 -c "$cycles" -s "$seed"
	at_least "$cycles" cycles
	is "$(result left)" 0 "uploaded by themselves"
	between "$(counter offloads)" "$(result cycles)" \
		$(($(result cycles) + 4)) offloads
	is "$(counter host_swallowed)" 0 "sent by the host"
	for ns in "$H" "$P"; do
		is "$(snmp "$ns" TcpEstabResets)" 0 "resets in $ns"
	done
}

# Percent of the hand-overs, whose connections, and on what wire.
while IFS='|' read -r part options wire; do
	# shellcheck disable=SC2086
	run "stream $options, $wire" share $((handovers * part / 100)) \
		"$options" $wire
	total=$((total + $(sed -n 's/^cycles=\([0-9]*\).*/\1/p' \
		"$ktap_tmp/stream") * 2))
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
