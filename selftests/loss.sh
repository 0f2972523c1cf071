#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The NIC's engine on bad wires: every byte arrives, however long it takes.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=selftests/stream_lib.sh
. "$(dirname "$0")/stream_lib.sh"

# over NETEM-OPTION...: the connections stay in the NIC to the end.
over() {
	topo_pair
	stream_start -o -n 2 -b 300000
	netem "$@"
	stream_stop
	is "$(counter offloads)" 2 offloads
	at_least 1200000 bytes
	stream -6 -o -b 200000
}

no_sack() {
	topo_pair
	inh sysctl -q net.ipv4.tcp_sack=0
	stream_start -o -n 2 -b 200000
	netem loss 5% reorder 5% delay 2ms
	stream_stop
}

run "loss of 5 percent" over loss 5%
run "loss of 10 percent" over loss 10%
run "loss in bursts" over loss 4% 50%
run "reordering" over delay 5ms reorder 50% 50%
run "jitter" over delay 10ms 8ms
run "duplication" over duplicate 30%
run "corruption" over corrupt 5%
run "all of it" over delay 3ms 2ms loss 3% duplicate 3% reorder 10% corrupt 1%
run "loss without SACK" no_sack

finish
