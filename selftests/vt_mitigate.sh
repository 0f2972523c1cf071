#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Blind-reset protection: what forged RST, SYN and data do to a connection in
# the NIC, and the keepalive that finds out who is there.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/ka_lib.sh"

# silent WHAT: nothing has been sent within a second, and n lives.
silent() {
	ka run 1000
	ka times "$n" any
	is "${#KA_T[@]}" 0 "segments after $1"
	ka show "$n"
	is "${KA[state]}" established "state after $1"
}

# challenged WHAT: one ACK at once since t, of the right form, and n lives.
challenged() {
	ka wait "$n" any 1 1000
	due "${KA[t]}" "$t" "$TICK" "challenge ACK for $1"
	ka last "$n" any
	is "${KA[flags]} ${KA[seq]} ${KA[ack]} ${KA[len]}" "A 0 0 0" "its form"
	ka run 10
	ka times "$n" any
	is "${#KA_T[@]}" 1 "ACKs for $1"
	ka show "$n"
	is "${KA[state]}" established "state after $1"
}

# forge FLAGS PLACE: a segment of the attacker's, at t.
forge() {
	ka clear "$n"
	ka send "$n" "$@"
	t=${KA[t]}
}

# aborted: the program is told.
aborted() {
	ka dies "$n" 1000
	is "${KA[errno]} ${KA[err]}${KA[hup]}" "ECONNRESET 11"
	near "${KA[t]}" "$t" 3000 "the program is told"
	ka ntf "$n"
	is "${KA[reason]} ${KA[state]}" "abort closed"
}

rst_outside() {
	local n t

	ka_open raw "$1"
	ka offload "$n"
	forge R seq=-1
	silent "RST before the window"
	forge RA seq=-1000
	silent "RST before the window"
	forge R edge=1
	silent "RST behind the window"
	forge R edge=100000
	silent "RST behind the window"
	is "${KA[ka_left]}" -1 "keepalive"
}

rst_exact() {
	local n t

	ka_open raw "$1"
	ka offload "$n"
	forge R
	aborted
}

rst_inside() {
	local n t

	ka_open raw "$1"
	ka offload "$n"
	forge R seq=1
	challenged "the first RST"
	forge R seq=1
	silent "the second RST"
	forge R seq=100
	silent "the third RST"
	ka run 60000
	forge R edge=-1
	silent "the fourth RST, a minute later"
	ka send "$n" A
	forge R seq=1
	challenged "a RST after an acceptable segment"
}

syn_outside() {
	local n t i

	ka_open raw "$1"
	ka offload "$n"
	for i in 1 2 3; do
		forge S seq=-1000
		challenged "SYN before the window"
		forge S edge=1000
		challenged "SYN behind the window"
	done
	is "${KA[ka_left]}" -1 "keepalive"
}

syn_exact() {
	local n t

	ka_open raw "$1"
	ka offload "$n"
	forge S
	aborted
}

syn_inside() {
	local n t

	ka_open raw "$1"
	ka offload "$n"
	forge S seq=1
	challenged "the first SYN"
	forge S seq=2
	silent "SYN again at once"
	ka run 1500
	forge S seq=3
	ka run 100
	ka times "$n" any
	is "${#KA_T[@]}" 0 "segments after 2.5 s"
	ka run 1000
	forge S seq=3
	challenged "SYN after 3 s"
}

keepalive_off() {
	local n t i

	ka_open raw 4
	ka set "$n" keepintvl 7
	ka set "$n" keepcnt 4
	ka offload "$n"
	forge R seq=1
	challenged "RST"
	is "${KA[ka_on]} ${KA[ka_count]}" "0 0"
	left_until "$((t + 300 * SEC))" "five minutes"
	ka peer "$n" answer=0
	ka clear "$n"
	ka wait "$n" probe 4 400000
	ka times "$n" probe
	for i in 0 1 2 3; do
		due "${KA_T[i]}" "$((t + (300 + 7 * i) * SEC))" "$TICK" \
			"probe $((i + 1))"
	done
	i=${KA_T[3]}
	ka_dead 60000
	due "$t" "$((i + 7 * SEC))" 2000 "death"
}

keepalive_far() {
	local n t

	ka_open raw 4
	ka_keepalive 7200 75 9
	ka offload "$n"
	ka_ping
	ka run 1000
	forge S seq=1
	challenged "SYN"
	left_until "$((t + 300 * SEC))" "five minutes"
	ka wait "$n" probe 1 400000
	due "${KA[t]}" "$((t + 300 * SEC))" "$TICK" "probe"
	ka run 10
	ka show "$n"
	is "${KA[ka_count]}" 0 "the peer has answered"
	left_until "$((t + 7500 * SEC))" "ordinary keepalive"
}

keepalive_near() {
	local n t first

	ka_open raw 4
	ka_keepalive 100 10 9
	ka offload "$n"
	ka_ping
	first=$t
	ka run 50000
	forge R seq=1
	challenged "RST"
	left_until "$((first + 100 * SEC))" "it stays as it is"
}

# Probes sent before count.
count_is_inherited() {
	local n t i

	ka_open raw 4
	ka_keepalive 600 400 5
	ka offload "$n"
	ka_ping
	ka peer "$n" answer=0
	ka wait "$n" probe 2 2000000
	ka run 10
	forge R seq=1
	challenged "RST"
	is "${KA[ka_count]}" 2 "ProbeCount"
	left_until "$((t + 300 * SEC))" "five minutes"
	ka wait "$n" probe 3 5000000
	ka times "$n" probe
	due "${KA_T[0]}" "$((t + 300 * SEC))" "$TICK" "probe 3"
	gaps "probes 4 and 5" "$TICK" {400,400}000000
	i=${KA_T[2]}
	ka_dead 1000000
	due "$t" "$((i + 400 * SEC))" 2000 "death"
}

segment_stops_it() {
	local n t

	ka_open raw 4
	ka offload "$n"
	forge R seq=1
	challenged "RST"
	left_until "$((t + 300 * SEC))" "five minutes"
	ka send "$n" A
	ka run 1
	ka show "$n"
	is "${KA[ka_left]} ${KA[ka_count]}" "-1 0" "stopped"
	ka clear "$n"
	ka run 3600000
	ka times "$n" any
	is "${#KA_T[@]}" 0 "segments in an hour"
}

# The option off, the peer answers the probe.
answer_stops_it() {
	local n t

	ka_open raw 4
	ka offload "$n"
	forge R seq=1
	challenged "RST"
	ka clear "$n"
	ka run 3600000
	ka times "$n" probe
	is "${#KA_T[@]}" 1 "probes"
	ka show "$n"
	is "${KA[state]} ${KA[ka_left]} ${KA[ka_count]}" "established -1 0"
}

# Switched off while it runs: it goes on.
not_stopped_by_option() {
	local n t

	ka_open raw 4
	ka set "$n" keepalive 1
	ka offload "$n"
	forge R seq=1
	challenged "RST"
	ka set "$n" keepalive 0
	ka show "$n"
	is "${KA[ka_on]}" 0
	left_until "$((t + 300 * SEC))" "five minutes"
}

goes_up() {
	local n t

	ka_open raw 4
	ka_keepalive 7200 10 3
	ka offload "$n"
	forge R seq=1
	challenged "RST"
	ka run 100000
	ka terminate "$n"
	is "${KA[ka_count]}" 0 "ProbeCount"
	left_until "$((t + 300 * SEC))" "TimeoutDelta"
	ka peer "$n" answer=0
	ka clear "$n"
	ka wait "$n" probe 1 400000
	due "${KA[t]}" "$((t + 300 * SEC))" "$(grain 200000000)" \
		"the host's probe"
}

zero_values() {
	local n t i

	ka_open raw 4
	ka offload "$n"
	ka update "$n" probes=0 interval=0
	forge R seq=1
	challenged "RST"
	ka peer "$n" answer=0
	ka clear "$n"
	ka wait "$n" probe 10 400000
	ka times "$n" probe
	due "${KA_T[0]}" "$((t + 300 * SEC))" "$TICK" "probe 1"
	gaps "probes" "$TICK" {1,1,1,1,1,1,1,1,1}000000
	i=${KA_T[9]}
	ka_dead 60000
	due "$t" "$((i + SEC))" 2000 "death"
}

# The acknowledgment number must be one that was sent, or not much older.
data_injection() {
	local n t

	ka_open raw 4
	ka offload "$n"
	forge A len=10 seq=0 ack=5
	ka wait "$n" any 1 1000
	due "${KA[t]}" "$t" "$TICK" "ACK of what was never sent"
	ka last "$n" any
	is "${KA[flags]} ${KA[len]}" "A 0"
	ka read "$n"
	is "${KA[errno]}" EAGAIN "data of the attacker"
	ka run 2000
	forge A len=10 seq=1 ack=-1000000000
	ka wait "$n" any 1 1000
	ka run 1000
	ka read "$n"
	is "${KA[errno]}" EAGAIN "data of the attacker"
	ka show "$n"
	is "${KA[state]}" established
}

# RFC 5961 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT, to the number.
injection_bounds() {
	local n t

	ka_open raw "$1" wnd=65535
	ka offload "$n"
	forge A len=10 seq=0 ack=-65536
	ka wait "$n" any 1 1000
	due "${KA[t]}" "$t" "$TICK" "ACK of what is too long ago"
	ka read "$n"
	is "${KA[errno]}" EAGAIN "data of the attacker"
	forge A len=10 seq=-10 ack=-65535
	ka wait "$n" any 1 1000
	ka read "$n"
	is "${KA[n]}" 10 "data with an ACK that is just in reach"
	ka run 600 # challenges are rare
	forge A len=10 seq=0 ack=1
	ka wait "$n" any 1 1000
	ka read "$n"
	is "${KA[errno]}" EAGAIN "data of the attacker"
	ka show "$n"
	is "${KA[state]}" established
}

# Whether it is acceptable is told by SEG.SEQ alone.
any_ack_field() {
	local n t

	ka_open raw "$1"
	ka offload "$n"
	forge RA seq=-1 ack=0
	silent "RST before the window that ACKs everything"
	forge RA seq=1 ack=-1000000
	challenged "RST in the window"
	forge SA seq=1 ack=-1000000
	challenged "SYN in the window"
	forge SA edge=1000 ack=0
	challenged "SYN behind the window"
	forge RA seq=0 ack=-1000000
	aborted
}

ka_start

for family in 4 6; do
	ka_run "BRA-1 RST outside of the window, IPv$family" rst_outside \
		"$family"
	ka_run "BRA-2 RST at RCV.NXT, IPv$family" rst_exact "$family"
	ka_run "BRA-3 RST in the window, IPv$family" rst_inside "$family"
	ka_run "BRA-4 SYN outside of the window, IPv$family" syn_outside \
		"$family"
	ka_run "BRA-5 SYN-1 SYN at RCV.NXT, IPv$family" syn_exact "$family"
	ka_run "BRA-6 SYN in the window, IPv$family" syn_inside "$family"
	ka_run "BRA-12 RFC 5961 5.2 bounds of the ACK, IPv$family" \
		injection_bounds "$family"
	ka_run "RFC 5961 3.2 4.2 any ACK field, IPv$family" any_ack_field \
		"$family"
done
ka_run "BRA-7 BRA-8 keepalive off: probes after five minutes" keepalive_off
ka_run "BRA-7 BRA-10 more than five minutes left" keepalive_far
ka_run "BRA-7 less than five minutes left" keepalive_near
ka_run "BRA-8 inherited probes count" count_is_inherited
ka_run "BRA-10 an acceptable segment stops it" segment_stops_it
ka_run "BRA-10 an answer stops it" answer_stops_it
ka_run "BRA-7 the option does not stop it" not_stopped_by_option
ka_run "BRA-9 goes up" goes_up
ka_run "BRA-11 BLD-5 zero count and interval" zero_values
ka_run "BRA-12 data with a bad acknowledgment number" data_injection

finish
