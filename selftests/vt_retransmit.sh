#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Retransmission, zero windows, delayed acknowledgments: when segments leave,
# and that a hand-over in either direction changes nothing of it.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/ka_lib.sh"

# n is a connection in the NIC that has sent something, and been answered.
rt_open() {
	ka_open raw 4 "$@"
	ka set "$n" nodelay 1
	ka offload "$n"
	ka write "$n" 10
	ka wait "$n" data 1 1000
	ka run 10
}

# rto: what the state says, microseconds; times are 8 and 4 times theirs.
rto() {
	local rttvar

	ka show "$n"
	rttvar=$((KA[rttvar] * 1000))
	rto=$((KA[srtt] * 125 + (rttvar > 200000 ? rttvar : 200000)))
}

# The peer falls silent, something is sent: at t.
rt_silence() {
	ka peer "$n" answer=0
	ka clear "$n"
	ka write "$n" 100
	ka wait "$n" seg 1 1000
	t=${KA[t]}
}

max_retransmissions() {
	chimney -n "$H" dev set chim0 max-retransmissions "$1"
	defer chimney -n "$H" dev set chim0 max-retransmissions 15
}

# ---- back-off -----------------------------------------------------------

whole_life() {
	local n t i gap rto last

	rt_open ts="$1"
	rto
	rt_silence
	ka wait "$n" rtx 15 2000000
	ka times "$n" seg
	is "${#KA_T[@]}" 16 "segments"
	gap=$((KA_T[1] - KA_T[0]))
	near "$gap" "$rto" 1300 "first gap is the RTO of the state"
	[ "$gap" -ge 200000 ] || fail "first gap is only $gap us"
	# A long gap, where what it takes to send does not count.
	rto=$(((KA_T[6] - KA_T[5]) / 32))
	for ((i = 0; i < 15; i++)); do
		gap=$((rto << i))
		near "$((KA_T[i + 1] - KA_T[i]))" \
			"$((gap < 120000000 ? gap : 120000000))" "$TICK" \
			"gap $((i + 1)), RTO << $i"
	done
	last=${KA_T[15]}
	ka last "$n" rtx
	is "${KA[len]} ${KA[seq]}" "100 -100" "it is the whole segment"
	ka show "$n"
	is "${KA[rtx_count]}" 15 "Count"
	near "${KA[total_rt]}" "$(((KA[t0] - t) / 1000))" 2 "TotalRT"
	[ "$((last - t))" -ge 100000000 ] || fail "gives up before 100 s"
	ka_dead 200000
	due "$t" "$((last + 120 * SEC))" 2000 "death"
	ka times "$n" probe
	is "${#KA_T[@]}" 0 "keepalive probes"
}

# RFC 2525 2.14, RFC 6298 (5.4)
one_segment_at_a_time() {
	local n

	rt_open
	ka peer "$n" answer=0
	ka clear "$n"
	ka write "$n" 5000
	ka wait "$n" rtx 1 10000
	ka run 50
	ka times "$n" rtx
	is "${#KA_T[@]}" 1 "retransmissions"
	ka last "$n" rtx
	between "${KA[len]}" 1000 1460 "bytes of it"
}

count_gives_up() {
	local n t rto

	max_retransmissions 3
	rt_open
	rt_silence
	ka wait "$n" rtx 3 10000
	ka times "$n" seg
	rto=$((KA_T[1] - KA_T[0]))
	gaps "segments" "$TICK" "$rto" "$((rto * 2))" "$((rto * 4))"
	local first=$t
	ka_dead 10000
	due "$t" "$((first + rto * 15))" 4000 "death"
	ka times "$n" rtx
	is "${#KA_T[@]}" 3 "retransmissions"
}

max_rt() {
	local how=$1 n t first

	max_retransmissions 3
	ka_open raw 4
	[ "$how" != before ] || ka set "$n" user_timeout 10000
	ka offload "$n"
	[ "$how" != admin ] || ka update "$n" max_rt=10000
	[ "$how" != while ] || ka set "$n" user_timeout 10000
	ka get "$n" user_timeout
	is "${KA[v]}" 10000 "TCP_USER_TIMEOUT"
	rt_silence
	ka show "$n"
	is "${KA[max_rt]} ${KA[total_rt]}" "10000 0" "before a timeout"
	first=$t
	ka_dead 30000
	due "$t" "$((first + 10 * SEC))" 3000 "death"
	ka times "$n" rtx
	is "${#KA_T[@]}" 5 "retransmissions"
}

max_rt_unlimited() {
	local n t

	max_retransmissions 3
	ka_open raw 4
	ka offload "$n"
	ka update "$n" max_rt=0xffffffff
	rt_silence
	ka run 60000
	ka times "$n" rtx
	[ "${#KA_T[@]}" -lt 10 ] || fail "${#KA_T[@]} in a minute"
	ka run 7140000
	ka show "$n"
	is "${KA[state]}" established "after two hours"
	ka times "$n" rtx
	[ "${#KA_T[@]}" -gt 60 ] || fail "only ${#KA_T[@]} retransmissions"
	near "$((KA_T[-1] - KA_T[-2]))" 120000000 "$TICK" "last gap"
	ka peer "$n" answer=1
	ka send "$n" A ack=100
	ka run 10
	ka show "$n"
	is "${KA[rtx_count]} ${KA[rtx_left]} ${KA[total_rt]}" "0 -1 0"
}

max_rt_restart() {
	local n t first

	ka_open raw 4
	ka offload "$n" max_rt=10000
	rt_silence
	ka run 8000
	ka show "$n"
	near "${KA[total_rt]}" "$(((KA[t0] - t) / 1000))" 2 "TotalRT"
	ka update "$n" max_rt=10000
	near "${KA[total_rt]}" "$(((KA[t0] - t) / 1000))" 2 \
		"BLD-6: TotalRT without the flag"
	ka update "$n" max_rt=20000 max_rt_restart=1
	near "${KA[total_rt]}" 0 1 "TotalRT with the flag"
	first=${KA[t0]}
	ka_dead 60000
	near "$t" "$((first + 20 * SEC))" 3000 "death"
}

ack_restarts_timer() {
	local n t rto

	rt_open
	rt_silence
	ka write "$n" 50
	ka run 100
	ka send "$n" A ack=100
	t=${KA[t]}
	ka run 10
	rto
	ka wait "$n" rtx 1 1000
	near "${KA[t]}" "$((t + rto))" 1300 "retransmission after the ACK"
	ka last "$n" rtx
	is "${KA[len]} ${KA[seq]}" "50 -50" "the one not acknowledged"
	ka send "$n" A ack=50
	ka run 10
	ka show "$n"
	is "${KA[rtx_count]} ${KA[rtx_left]} ${KA[total_rt]}" "0 -1 0"
}

formula() {
	local n t srtt rttvar want i

	rt_open ts=0
	for i in 1 2 3 4 5 6; do
		ka show "$n"
		srtt=$((KA[srtt] * 125))
		rttvar=$((KA[rttvar] * 250))
		ka peer "$n" delay="$((i * 40))"
		ka write "$n" 10
		ka run 500
		ka show "$n"
		near "$((KA[srtt] * 125))" "$((srtt * 7 / 8 + i * 5000))" \
			500 "SRTT after a sample of $((i * 40)) ms"
		want=$((i * 40000 - srtt))
		want=$((rttvar * 3 / 4 + (want < 0 ? -want : want) / 4))
		near "$((KA[rttvar] * 250))" "$want" 800 "RTTVAR"
	done
}

# No sample from what was retransmitted, and the back-off stays until there
# is one.
karn() {
	local n t rto srtt

	rt_open ts=0
	rto
	ka show "$n"
	srtt=${KA[srtt]}/${KA[rttvar]}
	rt_silence
	ka wait "$n" rtx 2 10000
	ka run 300
	ka send "$n" A ack=100
	ka run 10
	ka show "$n"
	is "${KA[srtt]}/${KA[rttvar]}" "$srtt" "SRTT/RTTVAR"
	ka peer "$n" answer=0
	ka clear "$n"
	ka write "$n" 100
	ka wait "$n" rtx 1 10000
	ka times "$n" seg
	gaps "next segment, backed off still" 1300 "$((rto * 4))"
	# One that is answered at once ends it.
	ka send "$n" A ack=100
	ka run 10
	ka peer "$n" answer=1
	ka write "$n" 10
	ka run 100
	rto
	rt_silence
	ka wait "$n" rtx 1 10000
	ka times "$n" seg
	gaps "after a sample" 1300 "$rto"
}

# Sent and retransmitted by the host, acknowledged to the NIC.
karn_across() {
	local n t srtt

	ka_open raw 4 ts=0
	ka peer "$n" answer=0
	ka write "$n" 100
	ka wait "$n" rtx 2 10000
	ka offload "$n"
	srtt=${KA[srtt]}/${KA[rttvar]}
	is "${KA[rtx_count]}" 2 "Count"
	ka run 200
	ka send "$n" A ack=100
	ka run 10
	ka show "$n"
	is "${KA[srtt]}/${KA[rttvar]}" "$srtt" "SRTT/RTTVAR"
	is "${KA[rtx_count]} ${KA[rtx_left]}" "0 -1"
}

fin_is_retransmitted() {
	local n t rto

	rt_open
	ka peer "$n" answer=0
	ka clear "$n"
	ka shut "$n"
	ka wait "$n" seg 5 20000
	ka times "$n" seg
	rto=$((KA_T[1] - KA_T[0]))
	gaps "FIN" "$TICK" "$rto" "$((rto * 2))" "$((rto * 4))" "$((rto * 8))"
	ka last "$n" rtx
	is "${KA[flags]} ${KA[seq]} ${KA[len]}" "FA -1 0" "form"
	ka show "$n"
	is "${KA[state]} ${KA[rtx_count]}" "fin-wait1 4"
	ka peer "$n" answer=1
	ka send "$n" A ack=1
	ka run 10
	ka show "$n"
	is "${KA[state]} ${KA[rtx_count]} ${KA[rtx_left]}" "fin-wait2 0 -1"
	ka run 3600000
	ka show "$n"
	is "${KA[state]}" fin-wait2 "after an hour"
}

fin_wait2() {
	local n t i

	chimney -n "$H" dev set chim0 fin-wait2 60s
	defer chimney -n "$H" dev set chim0 fin-wait2 0s
	rt_open
	ka shut "$n"
	t=${KA[t]}
	ka run 10
	ka show "$n"
	is "${KA[state]}" fin-wait2
	between "${KA[rtx_left]}" 59900 60000 "TimeoutDelta"
	ka run 40000
	ka send "$n" A
	t=${KA[t]}
	ka run 40000
	ka show "$n"
	near "$((KA[t0] + KA[rtx_left] * 1000))" "$((t + 60 * SEC))" 2000 \
		"TimeoutDelta after a segment"
	i=$t
	ka_dead 60000
	due "$t" "$((i + 60 * SEC))" 2000 "death"
}

# unreachable: Linux at the peer's end is the router before the scripted peer
# and says that it cannot be reached; reachable: it says nothing any more.
unreachable() {
	defer reachable
	ip -n "$P" route add unreachable 192.0.2.9
	ip -n "$P" route add unreachable 2001:db8::9
	inp sysctl -qw net.ipv4.conf.veth1.forwarding=1
}

reachable() {
	inp sysctl -qw net.ipv4.conf.veth1.forwarding=0
	ip -n "$P" route delete unreachable 192.0.2.9
	ip -n "$P" route delete unreachable 2001:db8::9
}

# That does not end the connection, but is what the program gets at its end.
soft_error() {
	local family=$1 error=$2 n t

	max_retransmissions 3
	ka_open raw "$family"
	ka offload "$n"
	unreachable
	rt_silence
	ka_dead 10000 "$error"
	ka times "$n" rtx
	is "${#KA_T[@]}" 3 "retransmissions"
}

# Not if the peer has been heard since.
soft_error_is_over() {
	local n t

	max_retransmissions 3
	ka_open raw 4
	ka offload "$n"
	unreachable
	rt_silence
	ka wait "$n" rtx 1 10000
	reachable
	ka send "$n" A ack=100
	ka run 1000
	rt_silence
	ka_dead 10000
}

# ---- hand-over in mid-back-off ------------------------------------------

# backoff_on FROM RTO: KA_T[FROM] and what follows are where they belong,
# those of the host late by its timer.
backoff_on() {
	local i from=$1 rto=$2

	for ((i = from; i < ${#KA_T[@]}; i++)); do
		due "${KA_T[i]}" "$((KA_T[i - 1] + (rto << (i - 1))))" \
			"$(grain "$((rto << (i - 1)))")" "retransmission $i"
	done
}

backoff_goes_up() {
	local n t rto left

	rt_open
	rt_silence
	ka wait "$n" rtx 3 10000
	ka times "$n" seg
	rto=$((KA_T[1] - KA_T[0]))
	ka run 500
	ka terminate "$n"
	is "${KA[rtx_count]}" 3 "Count"
	left=$((KA[t0] + KA[rtx_left] * 1000))
	near "$left" "$((t + rto * 15))" 3000 "TimeoutDelta"
	ka times "$n" seg
	is "${#KA_T[@]}" 4 "segments at the hand-over"
	ka wait "$n" rtx 6 60000
	ka times "$n" seg
	is "${#KA_T[@]}" 7 "segments"
	backoff_on 4 "$rto"
}

# The host compares with when the back-off began. It must not forget that, or
# it compares with its own boot, and gives up at once if that is long ago.
backoff_began() {
	local n t i

	rt_open
	ka run 1000000
	rt_silence
	for i in 1 2 3; do
		ka wait "$n" rtx $((2 * i - 1)) 60000
		ka terminate "$n"
		ka send "$n" A len=10 ack=-100
		ka wait "$n" rtx $((2 * i)) 60000
		ka offload "$n"
	done
	is "${KA[rtx_count]}" 6 "Count"
	ka terminate "$n"
	ka wait "$n" rtx 8 200000
}

backoff_goes_down() {
	local n t rto

	ka_open raw 4
	ka set "$n" nodelay 1
	ka write "$n" 10
	ka run 100
	rt_silence
	ka wait "$n" rtx 3 10000
	ka run 500
	ka offload "$n"
	is "${KA[rtx_count]}" 3 "Count"
	rto
	ka times "$n" seg
	is "${#KA_T[@]}" 4 "segments at the hand-over"
	near "$((KA[t0] + KA[rtx_left] * 1000))" "$((KA_T[3] + rto * 8))" \
		40000 "TimeoutDelta"
	ka wait "$n" rtx 7 60000
	ka times "$n" seg
	is "${#KA_T[@]}" 8 "segments"
	near "$((KA_T[4] - KA_T[3]))" "$((rto * 8))" 40000 "gap 4"
	near "$((KA_T[5] - KA_T[4]))" "$((rto * 16))" 16000 "gap 5"
	near "$((KA_T[6] - KA_T[5]))" "$((2 * (KA_T[5] - KA_T[4])))" \
		"$TICK" "gap 6"
	near "$((KA_T[7] - KA_T[6]))" "$((4 * (KA_T[5] - KA_T[4])))" \
		"$TICK" "gap 7"
	near "${KA_T[4]}" "$((t + rto * 15))" "$(grain "$((rto * 15))")" \
		"fourth since the first"
}

# With the last segment's timer of the host, which stands in for the RTO.
loss_probe_goes_down() {
	local n t rto

	ka_open raw 4
	inh sysctl -qw net.ipv4.tcp_early_retrans=3
	defer inh sysctl -qw net.ipv4.tcp_early_retrans=0
	ka write "$n" 10
	ka run 1000
	rt_silence
	ka offload "$n"
	rto
	ka wait "$n" rtx 2 10000
	ka times "$n" seg
	near "$((KA_T[1] - KA_T[0]))" "$rto" 9000 "first gap"
	near "$((KA_T[2] - KA_T[1]))" "$((rto * 2))" 2000 "second gap"
}

max_rt_goes_up_and_down() {
	local n t first rto

	ka_open raw 4
	ka set "$n" user_timeout 20000
	ka offload "$n"
	rto
	rt_silence
	first=$t
	ka run 5000
	ka terminate "$n"
	near "${KA[total_rt]}" "$(((KA[t0] - t) / 1000))" 2 "TotalRT"
	ka run 3000
	ka offload "$n"
	near "${KA[total_rt]}" "$(((KA[t0] - t) / 1000))" 300 "TotalRT"
	ka_dead 60000
	near "$t" "$((first + 20 * SEC))" 300000 "death in the NIC"

	ka_open raw 4
	ka set "$n" user_timeout 20000
	ka offload "$n"
	rt_silence
	first=$t
	ka run 5000
	ka terminate "$n"
	ka dies "$n" 60000
	is "${KA[errno]}" ETIMEDOUT
	due "${KA[t]}" "$((first + 20 * SEC))" "$(grain 20000000)" \
		"death in the host"
}

# ---- zero window --------------------------------------------------------

# The peer's window is closed and something to send: since t.
closed_window() {
	ka peer "$n" answer=0
	ka write "$n" 10
	ka peer "$n" wnd=0
	ka send "$n" A ack=10
	ka run 10
	rto
	ka clear "$n"
	ka write "$n" 100
	t=${KA[t]}
}

persist() {
	local n t rto

	rt_open
	closed_window
	ka show "$n"
	is "${KA[rtx_count]} ${KA[round]} ${KA[snd_wnd]}" "0 0 0" "PST-1"
	near "$((KA[t0] + KA[rtx_left] * 1000))" "$((t + rto))" 2000 \
		"persist timer"
	ka wait "$n" seg 3 10000
	ka times "$n" seg
	near "${KA_T[0]}" "$((t + rto))" 2000 "probe 1"
	gaps "probes" 2000 "$rto" "$((rto * 2))"
	ka last "$n" seg
	is "${KA[len]}" 1 "octets in a probe"
	ka show "$n"
	is "${KA[rtx_count]} ${KA[round]}" "3 0" "after three probes"

	# The worked example: answered before the fourth.
	ka run 40
	ka clear "$n"
	ka send "$n" A
	t=${KA[t]}
	ka run 1
	ka show "$n"
	is "${KA[rtx_count]} ${KA[round]}" "0 1" "PST-4"
	ka wait "$n" seg 4 10000
	ka times "$n" seg
	near "${KA_T[0]}" "$((t + rto * 2))" 2000 "probe of round 1"
	gaps "probes of round 1" 2000 "$rto" "$((rto * 2))" "$((rto * 4))"

	ka clear "$n"
	ka peer "$n" answer=1 wnd=65535
	ka send "$n" A
	t=${KA[t]}
	ka wait "$n" seg 1 1000
	due "${KA[t]}" "$t" "$TICK" "data when the window opens"
	ka run 100
	ka show "$n"
	is "$((KA[snd_max] - KA[snd_una])) ${KA[rtx_left]} ${KA[round]}" \
		"0 -1 0" "all is well"
}

persist_gives_up() {
	local n t rto first

	max_retransmissions 4
	rt_open
	closed_window
	first=$t
	ka_dead 60000
	ka times "$n" seg
	gaps "probes" 2000 "$rto" "$((rto * 2))" "$((rto * 4))"
	near "$t" "$((first + rto * 16))" 20000 "death"
}

# As long as the peer answers, for ever.
persist_answered() {
	local n t rto i gap

	max_retransmissions 3
	rt_open
	closed_window
	ka peer "$n" answer=1
	ka run 60000
	ka times "$n" seg
	[ "${#KA_T[@]}" -lt 10 ] || fail "${#KA_T[@]} in a minute"
	ka run 7140000
	ka show "$n"
	is "${KA[state]}" established "after two hours"
	ka times "$n" seg
	[ "${#KA_T[@]}" -gt 60 ] || fail "only ${#KA_T[@]} probes"
	rto=$(((KA_T[2] - 2 * KA_T[1] + KA_T[0]) / 2))
	for ((i = 0; i < 15; i++)); do
		gap=$((rto << (i + 1)))
		near "$((KA_T[i + 1] - KA_T[i]))" \
			"$((gap < 120000000 ? gap : 120000000))" 2000 \
			"gap $((i + 1))"
	done
	ka peer "$n" wnd=65535
	ka send "$n" A
	ka run 100
	ka show "$n"
	is "$((KA[snd_max] - KA[snd_una])) ${KA[rtx_left]}" "0 -1"
}

persist_goes_up() {
	local n t rto due

	rt_open
	closed_window
	ka wait "$n" seg 4 10000
	ka run 100
	ka terminate "$n"
	is "${KA[rtx_count]} ${KA[round]}" "4 0"
	due=$((KA[t0] + KA[rtx_left] * 1000))
	near "$due" "$((t + rto * 16))" 5000 "TimeoutDelta"
	ka times "$n" any
	is "${#KA_T[@]}" 4 "segments at the hand-over"
	ka wait "$n" any 6 60000
	ka times "$n" any
	due "${KA_T[4]}" "$due" "$(grain 1600000)" "the host's probe"
	due "$((KA_T[5] - KA_T[4]))" "$((rto * 16))" "$(grain 3200000)" \
		"the next"
	# Linux sends again when its retransmit timer has fired.
	ka peer "$n" answer=1 wnd=65535
	ka clear "$n"
	ka send "$n" A
	ka wait "$n" data 1 10000
}

persist_goes_down() {
	local n t rto due

	rt_open
	closed_window
	ka terminate "$n"
	ka wait "$n" any 3 10000
	ka run 100
	ka times "$n" any
	t=${KA_T[2]}
	ka offload "$n"
	due=$((KA[t0] + KA[rtx_left] * 1000))
	is "${KA[rtx_count]} ${KA[snd_wnd]}" "3 0"
	near "$due" "$((t + rto * 8))" 40000 "TimeoutDelta"
	ka wait "$n" seg 2 60000
	ka times "$n" seg
	near "${KA_T[0]}" "$due" 2000 "the NIC's probe"
	between "$((KA_T[1] - KA_T[0]))" "$((rto * 8 - 2000))" \
		"$((rto * 16 + 2000))" "the next"
	ka peer "$n" answer=1 wnd=65535
	ka clear "$n"
	ka send "$n" A
	ka wait "$n" seg 1 1000
	ka run 100
	ka show "$n"
	is "$((KA[snd_max] - KA[snd_una])) ${KA[rtx_left]}" "0 -1"
}

persist_round_goes_up_and_down() {
	local n t rto i

	rt_open
	closed_window
	ka peer "$n" answer=1
	ka wait "$n" seg 4 20000
	ka run 10
	ka show "$n"
	is "${KA[rtx_count]} ${KA[round]}" "0 4"
	i=$((KA[t0] + KA[rtx_left] * 1000))
	ka terminate "$n"
	is "${KA[rtx_count]} ${KA[round]}" "0 4"
	near "$((KA[t0] + KA[rtx_left] * 1000))" "$i" "$TICK" "up"
	ka run 200
	ka offload "$n"
	is "${KA[rtx_count]} ${KA[round]}" "0 4"
	near "$((KA[t0] + KA[rtx_left] * 1000))" "$i" 6000 "down"
	ka wait "$n" seg 6 60000
	ka times "$n" seg
	near "${KA_T[4]}" "$i" 6000 "probe 5"
	near "$((KA_T[5] - KA_T[4]))" "$((2 * (KA_T[4] - KA_T[3])))" 20000 \
		"probe 6"
}

# ---- acknowledgments ----------------------------------------------------

delayed_ack() {
	local n t

	rt_open
	ka clear "$n"
	ka send "$n" AP len=10
	t=${KA[t]}
	ka wait "$n" ack 1 1000
	due "${KA[t]}" "$((t + 40000))" "$TICK" "ACK of a small segment"
	ka clear "$n"
	ka send "$n" AP len=10
	t=${KA[t]}
	ka run 30
	ka send "$n" AP len=10
	ka wait "$n" ack 1 1000
	[ "$((KA[t] - t))" -le 41000 ] || fail "$((KA[t] - t)) us"
	ka run 500
	ka clear "$n"
	ka send "$n" A len=1448
	ka send "$n" AP len=1448
	t=${KA[t]}
	ka wait "$n" ack 1 1000
	due "${KA[t]}" "$t" "$TICK" "ACK of two full segments"

	ka run 500
	chimney -n "$H" dev set chim0 delayed-ack 200ms
	defer chimney -n "$H" dev set chim0 delayed-ack 40ms
	ka clear "$n"
	ka send "$n" AP len=10
	t=${KA[t]}
	ka wait "$n" ack 1 1000
	due "${KA[t]}" "$((t + 200000))" "$TICK" "ACK, delayed-ack 200ms"
	refused chimney -n "$H" dev set chim0 delayed-ack 500ms
}

# owed_ack terminate|offload: who has waited with it hands over.
owed_ack() {
	local n t

	ka_open raw 4
	if [ "$1" = terminate ]; then
		ka offload "$n"
	else
		ka set "$n" quickack 0
	fi
	ka run 500
	ka clear "$n"
	ka send "$n" AP len=10
	ka run 5
	ka times "$n" ack
	is "${#KA_T[@]}" 0 "ACKs yet"
	ka "$1" "$n"
	t=${KA[t0]}
	ka wait "$n" ack 1 100
	due "${KA[t]}" "$t" "$TICK" "ACK at the hand-over"
	ka run 500
	ka times "$n" ack
	is "${#KA_T[@]}" 1 "ACKs"
}

# The socket forgets its route; the next segment does not wait for a timer.
route_forgotten() {
	local n t

	ka_open raw "$1"
	ka offload "$n"
	ka set "$n" mark 7
	ka clear "$n"
	ka write "$n" 100
	t=${KA[t]}
	ka wait "$n" data 1 100
	due "${KA[t]}" "$t" "$TICK" "data"
}

ka_start

ka_run "RTX-6 RT5 RTX-1 back-off, default count, timestamps 1" whole_life 1
ka_run "RTX-6 RT5 RTX-1 back-off, default count, timestamps 0" whole_life 0
ka_run "RT5 one segment, however many are out" one_segment_at_a_time
ka_run "RTX-1 gives up by count" count_gives_up
ka_run "RTX-2 gives up by MaxRT" max_rt admin
ka_run "RTX-2 gives up by TCP_USER_TIMEOUT set before" max_rt before
ka_run "RTX-2 gives up by TCP_USER_TIMEOUT set while offloaded" max_rt while
ka_run "RTX-2 TCA-11 MaxRT without limit" max_rt_unlimited
ka_run "RTX-3 BLD-6 BLD-7 TotalRT" max_rt_restart
ka_run "RTX-7 RT4 an ACK restarts the timer" ack_restarts_timer
ka_run "RTX-6 RT1 SRTT and RTTVAR" formula
ka_run "RT3 RT7 Karn" karn
ka_run "RT3 Karn, retransmitted before the offload" karn_across
ka_run "RT18 FIN is retransmitted" fin_is_retransmitted
ka_run "FW2-1 FW2-2 FW2-3 FIN_WAIT_2 timer" fin_wait2
ka_run "KA-10 RT17 soft error is told at the end, IPv4" \
	soft_error 4 EHOSTUNREACH
ka_run "KA-10 RT17 soft error is told at the end, IPv6" \
	soft_error 6 ENETUNREACH
ka_run "KA-10 RT17 soft error is over when answered" soft_error_is_over

ka_run "RTX-4 back-off goes up" backoff_goes_up
ka_run "RTX-4 back-off goes up and down, when it began" backoff_began
ka_run "RTX-4 back-off goes down" backoff_goes_down
ka_run "RTX-4 loss probe timer goes down" loss_probe_goes_down
ka_run "RTX-4 MaxRT and TotalRT go up and down" max_rt_goes_up_and_down

ka_run "PST-1 PST-2 PST-3 PST-4 PST-5 PST-8 PST-9 zero window" persist
ka_run "PST-6 gives up in a round" persist_gives_up
ka_run "PST-6 RT9 never gives up while the peer answers" persist_answered
ka_run "PST-7 in-round timer goes up" persist_goes_up
ka_run "PST-7 in-round timer goes down" persist_goes_down
ka_run "PST-7 persist timer goes up and down" persist_round_goes_up_and_down

ka_run "BLD-45 SO_MARK, IPv4" route_forgotten 4
ka_run "BLD-45 SO_MARK, IPv6" route_forgotten 6

ka_run "DAK-1 RT12 delayed ACK" delayed_ack
ka_run "DAK-2 owed ACK leaves at the upload" owed_ack terminate
ka_run "DAK-2 owed ACK leaves at the offload" owed_ack offload

finish
