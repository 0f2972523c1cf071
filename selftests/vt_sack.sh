#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the NIC reports of segments out of order and of such that come twice
# (RFC 2018, RFC 2883).

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/ka_lib.sh"

# gets SEQ LEN ACK BLOCKS: the peer's segment from there on is answered at once.
# Numbers count from what the peer has sent in order.
gets() {
	ka clear "$n"
	ka send "$n" A seq="$1" len="$2"
	t=${KA[t]}
	ka wait "$n" ack 1 100
	due "${KA[t]}" "$t" "$TICK" "ACK"
	ka last "$n" any
	is "${KA[ack]} ${KA[sack]:-none}" "$3 $4" "ACK and blocks of $1+$2"
}

# most_recent FAMILY TIMESTAMPS LAST: with timestamps there is room for three.
most_recent() {
	local n t

	ka_open raw "$1" ts="$2"
	ka offload "$n"
	gets 1000 100 0 1000-1100
	gets 2000 100 0 2000-2100,1000-1100
	gets 3000 100 0 3000-3100,2000-2100,1000-1100
	gets 4000 100 0 "4000-4100,3000-3100,2000-2100$3"
	# It grows, and is the most recent again.
	gets 2100 100 0 "2000-2200,4000-4100,3000-3100$3"
	# Two become one.
	gets 3100 900 0 3000-4100,2000-2200,1000-1100
}

duplicates() {
	local n t

	ka_open raw "$1"
	ka offload "$n"
	gets 1000 100 0 1000-1100
	gets 3000 100 0 3000-3100,1000-1100
	# Kept already: told once, and then the block it is in.
	gets 1000 100 0 1000-1100,1000-1100,3000-3100
	gets 5000 100 0 5000-5100,1000-1100,3000-3100
	# Received in order before.
	gets -2 2 0 -2-0,5000-5100,1000-1100
	# A probe with a byte of garbage is none.
	gets -1 1 0 5000-5100,1000-1100,3000-3100
	gets -1 1001 1100 -1-0,5000-5100,3000-3100
}

# What the host had received out of order before the offload [BLD-34].
taken_down() {
	local n t

	ka_open raw "$1"
	ka send "$n" A seq=1000 len=100
	ka send "$n" A seq=3000 len=100
	ka run 100
	ka offload "$n"
	gets 2000 100 0 2000-2100,3000-3100,1000-1100
	gets -500 1400 900 -500-0,2000-2100,3000-3100
}

ka_start

ka_run "most recent blocks first, timestamps" most_recent 4 1 ""
ka_run "most recent blocks first, no timestamps" most_recent 6 0 ,1000-1100
ka_run "duplicates are reported once" duplicates 4
ka_run "BLD-34 out of order before the offload" taken_down 6

finish
