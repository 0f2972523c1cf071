#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Connections go down the chimney and back at random moments while they stream
# both ways: nothing is lost, nothing comes twice, nobody notices.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=selftests/stream_lib.sh
. "$(dirname "$0")/stream_lib.sh"

bad_wire() {
	netem delay 2ms 1ms loss 5% duplicate 1% reorder 5%
}

# At no time had the host anything to say that the NIC should have said; no
# segment was lost between the two, and so no connection came up for it.
unnoticed() {
	is "$(counter host_swallowed)" 0 "sent by the host"
}

# moves MIN OPTION...: with every kind of data waiting.
moves() {
	local min=$1
	shift

	topo_pair
	bad_wire
	stream "$@"
	at_least "$min" cycles
	at_least 1 unread unacked unsent
	is "$(result left)" 0 "uploaded by themselves"
	unnoticed
}

# On a wire that loses nothing the hand-overs lose nothing either: what the peer
# sent again came twice, for its loss probe may be impatient.
clean_wire() {
	topo_pair
	stream -c 400 -n 2
	stream -c 50 -m -l
	at_least 1 unread unacked
	unnoticed
	# Answers that take long look like losses.
	slow_kernel || between $(($(snmp "$P" TcpRetransSegs) -
		$(snmp "$P" TcpExtTCPDSACKRecvSegs))) -3 3 "segments lost"
}

# Small buffers: they are full before the connection is over.
stuck() {
	topo_pair
	bad_wire
	stream -c 60 -n 2 -B 32768 "$@"
	at_least 1 unacked unsent
	unnoticed
}

half_closed() {
	topo_pair
	stream -c 40 -n 2 -b 100000 "$@"
	bad_wire
	stream -c 40 -n 2 -b 100000 -6 "$@"
	unnoticed
}

# backs_off N: a connection of the host has doubled its timeout N times.
backs_off() {
	grep -q "backoff:[$1-9]" < <(inh ss -Htni)
}

# Also while it backs off, and while it recovers from that. An outage is an RTT
# as well, of which the next timeout is made: where that is long already they
# soon last for minutes.
outage() {
	local i rounds=3

	! slow_kernel || rounds=1
	topo_pair
	stream_start -n 4 -c 60 -g 30000
	for ((i = 1; i <= rounds; i++)); do
		netem loss 100%
		slowwait 20 backs_off "$i"
		netem loss 5%
		slowwait 20 not backs_off 1
		netem
	done
	stream_stop
	at_least 60 cycles
	at_least 1 backoff recovery
	unnoticed
}

not() {
	! "$@"
}

run "clean wire" clean_wire
run "loss, reordering and duplication, IPv4" moves 500 -4 -c 500 -n 5
run "loss, reordering and duplication, IPv6" moves 200 -6 -c 200 -n 5
run "timeouts and recovery" outage
run "host's window closed" stuck -z h
run "peer's window closed" stuck -z p
run "all buffers full" stuck -z h -z p
run "host has closed its half" half_closed -x h
run "peer has closed its half" half_closed -x p

finish
