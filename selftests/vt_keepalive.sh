#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Keepalive: when probes leave, what they look like, when a peer is dead, and
# that a hand-over in either direction changes nothing of it.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/ka_lib.sh"

# ---- on the NIC ---------------------------------------------------------

# A whole life: idle, probes, death.
life() {
	local family=$1 stamps=$2 i n t

	ka_open raw "$family" ts="$stamps"
	ka_keepalive 60 10 5
	ka offload "$n"
	is "${KA[ka_on]}" 1 "KEEP_ALIVE_ENABLED"
	is "${KA[idle]} ${KA[interval]} ${KA[probes]}" "60000 10000 5"
	ka_ping
	ka peer "$n" answer=0
	ka wait "$n" probe 5 200000
	ka times "$n" probe
	for i in 0 1 2 3 4; do
		due "${KA_T[i]}" "$((t + (60 + 10 * i) * SEC))" "$TICK" \
			"probe $((i + 1))"
	done
	ka last "$n" probe
	is "${KA[flags]} ${KA[seq]} ${KA[ack]} ${KA[len]}" "A -1 0 0" "form"
	ka stamps "$n"
	is "${KA[with]} ${KA[back]}" "$((stamps * KA[all])) 0" "timestamps"
	ka show "$n"
	is "${KA[ka_count]}" 5 "ProbeCount"
	ka_dead 20000
	ka times "$n" probe
	due "$t" "$((KA_T[4] + 10 * SEC))" 2000 "death"
	ka times "$n" any
	is "${#KA_T[@]}" 6 "nothing else was sent"
}

off_by_default() {
	local n

	ka_open raw 4
	ka offload "$n"
	is "${KA[ka_on]} ${KA[ka_left]}" "0 -1" "off, not running"
	ka clear "$n"
	ka run 10800000
	ka terminate "$n"
	is "${KA[ka_on]} ${KA[ka_left]} ${KA[reason]}" "0 -1 host"
	ka get "$n" keepalive
	is "${KA[v]}" 0 "SO_KEEPALIVE"
	ka run 10800000
	ka times "$n" any
	is "${#KA_T[@]}" 0 "segments in six hours"
}

# On, off and on again by the program or by an administrator.
switched_while_offloaded() {
	local how=$1 n t on

	ka_open raw 4
	ka set "$n" keepidle 100
	ka offload "$n"
	ka_ping
	ka run 30000
	if [ "$how" = program ]; then
		ka set "$n" keepalive 1
		on=${KA[t]}
	else
		ka update "$n" keepalive=1
		on=${KA[t0]}
	fi
	ka show "$n"
	is "${KA[ka_on]}" 1
	left_until "$((on + 100 * SEC))" "TimeoutDelta"
	ka wait "$n" probe 1 200000
	near "${KA[t]}" "$((on + 100 * SEC))" 2000 "probe after it was set"
	t=${KA[t]}
	ka wait "$n" probe 2 200000
	near "${KA[t]}" "$((t + 100 * SEC))" "$TICK" "probe after the answer"

	ka run 50000
	ka clear "$n"
	if [ "$how" = program ]; then
		ka set "$n" keepalive 0
	else
		ka update "$n" keepalive=0
	fi
	ka show "$n"
	is "${KA[ka_on]} ${KA[ka_left]} ${KA[ka_count]}" "0 -1 0" "stopped"
	ka run 3600000
	ka get "$n" keepalive
	is "${KA[v]}" 0 "SO_KEEPALIVE"
	ka times "$n" any
	is "${#KA_T[@]}" 0 "segments while it is off"

	if [ "$how" = program ]; then
		ka set "$n" keepalive 1
		on=${KA[t]}
	else
		ka update "$n" keepalive=1
		on=${KA[t0]}
	fi
	ka wait "$n" probe 1 200000
	near "${KA[t]}" "$((on + 100 * SEC))" 2000 "on again"
	ka terminate "$n"
	ka get "$n" keepalive
	is "${KA[v]}" 1 "SO_KEEPALIVE"
}

# Off is off for the host, too, and what was set in the NIC holds there.
switched_then_up() {
	local n t

	ka_open raw 4
	ka_keepalive 50 5 3
	ka offload "$n"
	ka update "$n" keepalive=0
	ka terminate "$n"
	ka clear "$n"
	ka run 600000
	ka times "$n" any
	is "${#KA_T[@]}" 0 "segments while it is off"
	ka offload "$n"
	is "${KA[ka_left]}" -1
	ka update "$n" keepalive=1 idle=20000 interval=3000 probes=4
	t=${KA[t0]}
	ka terminate "$n"
	ka get "$n" keepidle
	is "${KA[v]}" 20
	ka get "$n" keepintvl
	is "${KA[v]}" 3
	ka get "$n" keepcnt
	is "${KA[v]}" 4
	ka wait "$n" probe 1 60000
	due "${KA[t]}" "$((t + 20 * SEC))" "$(grain 20000000)" "host's probe"
	# An administrator who gave an option with the offload, too.
	ka set "$n" keepalive 0
	ka clear "$n"
	ka offload "$n" keepalive=1 idle=30000
	t=${KA[t0]}
	ka wait "$n" probe 1 60000
	near "${KA[t]}" "$((t + 30 * SEC))" 2000 "BLD-3: starts at once"
}

answers_probes() {
	local family=$1 stamps=$2 n i len t

	ka_open raw "$family" ts="$stamps"
	ka offload "$n"
	ka_ping
	for len in 0 1; do
		for i in 1 2 3; do
			ka clear "$n"
			ka send "$n" A seq=-1 len="$len"
			t=${KA[t]}
			ka wait "$n" any 1 1000
			due "${KA[t]}" "$t" "$TICK" "answer to $len octets"
			ka last "$n" any
			is "${KA[flags]} ${KA[seq]} ${KA[ack]} ${KA[len]}" \
				"A 0 0 0" "form of the answer"
			ka run 1000
			ka times "$n" any
			is "${#KA_T[@]}" 1 "answers"
		done
	done
	ka read "$n"
	is "${KA[errno]}" EAGAIN "nothing for the program"
	ka show "$n"
	is "${KA[state]}" established
	ka stamps "$n"
	is "${KA[with]} ${KA[back]}" "$((stamps * KA[all])) 0" "timestamps"
}

# Linux on the other side has the keepalive: it lives on our answers.
answers_linux() {
	local n

	ka_open native 4
	ka pset "$n" keepidle 10
	ka pset "$n" keepintvl 5
	ka pset "$n" keepcnt 3
	ka pset "$n" keepalive 1
	ka offload "$n"
	ka run 3600000
	ka show "$n"
	is "${KA[state]}" established
	ka pwrite "$n" 5
	ka run 100
	ka read "$n"
	is "${KA[n]}" 5 "octets from a peer that still lives"
}

restarted_by() {
	local what=$1 n t i

	ka_open raw 4
	ka_keepalive 60 10 5
	ka offload "$n"
	ka_ping
	for i in 1 2 3; do
		ka run 59000
		if [ "$what" = ack ]; then
			ka send "$n" A
		elif [ "$what" = data ]; then
			ka send "$n" AP len=10
		else # what we write is acknowledged
			ka write "$n" 10
			ka wait "$n" data "$i" 1000
		fi
		t=${KA[t]}
	done
	ka times "$n" probe
	is "${#KA_T[@]}" 0 "probes before the idle time"
	ka wait "$n" probe 1 100000
	due "${KA[t]}" "$((t + 60 * SEC))" "$TICK" "first probe"
	# The answer to the probe is activity as well.
	t=${KA[t]}
	ka run 1
	ka show "$n"
	is "${KA[ka_count]}" 0 "ProbeCount after the answer"
	ka wait "$n" probe 2 100000
	near "${KA[t]}" "$((t + 60 * SEC))" "$TICK" "second probe"
}

not_while_data_is_outstanding() {
	local n t

	ka_open raw 4
	ka_keepalive 5 1 3
	ka offload "$n"
	ka_ping
	ka peer "$n" answer=0
	ka write "$n" 10
	ka run 300000
	ka times "$n" probe
	is "${#KA_T[@]}" 0 "probes in five minutes of retransmission"
	ka show "$n"
	is "${KA[ka_count]}" 0 "ProbeCount"
	ka times "$n" rtx
	[ "${#KA_T[@]}" -ge 7 ] || fail "only ${#KA_T[@]} retransmissions"
	ka peer "$n" answer=1
	ka send "$n" A ack=10
	t=${KA[t]}
	ka wait "$n" probe 1 10000
	due "${KA[t]}" "$((t + 5 * SEC))" "$TICK" "probe after the ACK"
}

one_lost_answer_does_not_kill() {
	local n i

	ka_open raw 4
	ka_keepalive 10 2 2
	ka offload "$n"
	ka_ping
	for i in 1 2 3 4 5; do
		ka peer "$n" drop=1
		ka run 10500
		ka show "$n"
		is "${KA[ka_count]}" 1 "ProbeCount after an answer was lost"
		ka wait "$n" probe "$((2 * i))" 20000
		ka run 1
		ka show "$n"
		is "${KA[ka_count]} ${KA[state]}" "0 established" \
			"ProbeCount after an answer"
	done
	ka times "$n" probe
	gaps "probes" "$TICK" {2,10,2,10,2,10,2,10,2}000000
}

worked_example() {
	local n t i

	ka_open raw 4
	ka set "$n" keepalive 1
	ka offload "$n" idle=7200000 interval=1000 probes=10
	ka_ping
	ka peer "$n" answer=0
	ka wait "$n" probe 3 8000000
	ka run 600
	ka show "$n"
	is "${KA[ka_count]}" 3
	left_until "$((t + 7203 * SEC))" "TimeoutDelta"
	ka wait "$n" probe 10 20000
	ka times "$n" probe
	for ((i = 0; i < 10; i++)); do
		due "${KA_T[i]}" "$((t + (7200 + i) * SEC))" "$TICK" \
			"probe $((i + 1))"
	done
	i=$((t + 7210 * SEC))
	ka_dead 10000
	due "$t" "$i" 2000 "death"
}

linux_defaults() {
	local n t i

	ka_open raw 6
	ka set "$n" keepalive 1
	ka offload "$n"
	is "${KA[idle]} ${KA[interval]} ${KA[probes]}" "7200000 75000 9"
	ka_ping
	ka peer "$n" answer=0
	ka wait "$n" probe 9 10000000
	ka times "$n" probe
	for ((i = 0; i < 9; i++)); do
		due "${KA_T[i]}" "$((t + (7200 + 75 * i) * SEC))" "$TICK" \
			"probe $((i + 1))"
	done
	i=$((t + (7200 + 75 * 9) * SEC))
	ka_dead 100000
	due "$t" "$i" 2000 "death"
}

# Linux on the other side, and a wire that loses what it sends.
linux_falls_silent() {
	local n t i mac address=192.0.2.2

	# The addresses of the link are not to be lost.
	[ "$1" = 4 ] || address=2001:db8::2
	mac=$(inp cat /sys/class/net/veth1/address)
	ip -n "$H" neigh replace "$address" lladdr "$mac" dev chim0 \
		nud permanent
	ka_open native "$1"
	ka_keepalive 20 5 3
	ka offload "$n"
	ka run 100000
	ka times "$n" probe
	is "${#KA_T[@]}" 5 "probes while the peer answers"
	ka show "$n"
	is "${KA[ka_count]} ${KA[state]}" "0 established"
	# What is read from disk for the first time takes time to come.
	tc -n "$P" qdisc add dev veth1 root netem loss 0%
	defer tc -n "$P" qdisc delete dev veth1 root
	ka pwrite "$n" 10
	t=${KA[t]}
	ka run 100
	tc -n "$P" qdisc change dev veth1 root netem loss 100%
	ka clear "$n"
	i=$t
	ka_dead 100000
	due "$t" "$((i + 35 * SEC))" 2000 "death"
	ka times "$n" probe
	due "${KA_T[0]}" "$((i + 20 * SEC))" "$TICK" "first probe"
	gaps "probes" "$TICK" {5,5}000000
}

# ---- updates ------------------------------------------------------------

restart() {
	local n t

	ka_open raw 4
	ka_keepalive 60 10 5
	ka offload "$n"
	ka_ping
	ka run 59000
	ka update "$n" restart=1
	t=${KA[t0]}
	left_until "$((t + 60 * SEC))" "TimeoutDelta"
	ka run 59000
	ka times "$n" any
	is "${#KA_T[@]}" 0 "segments since the restart"
	ka peer "$n" answer=0
	ka wait "$n" probe 2 100000
	ka times "$n" probe
	near "${KA_T[0]}" "$((t + 60 * SEC))" 2000 "first probe"
	ka run 3000
	# In mid-probes.
	ka clear "$n"
	ka update "$n" restart=1
	t=${KA[t0]}
	is "${KA[ka_count]}" 0 "ProbeCount"
	left_until "$((t + 60 * SEC))" "TimeoutDelta"
	ka wait "$n" probe 5 200000
	near "${KA[t]}" "$((t + 100 * SEC))" 2000 "fifth probe since"
	ka_dead 20000
	ka times "$n" probe
	gaps "probes since the restart" "$TICK" {10,10,10,10}000000
}

# In mid-probes, n with two of five unanswered, 4 s to the next.
mid_probes() {
	ka_open raw 4
	ka_keepalive 60 10 5
	ka offload "$n"
	ka_ping
	ka peer "$n" answer=0
	ka wait "$n" probe 2 100000
	t=${KA[t]}
	ka run 6000
}

update_probe_count() {
	local n t d

	mid_probes
	ka update "$n" probes=7
	is "${KA[ka_count]} ${KA[probes]}" "2 7" "without a flag"
	ka update "$n" probes=7 max_rt_restart=1
	is "${KA[ka_count]}" 2 "a flag, but nothing changed"
	ka update "$n" probes=6 max_rt_restart=1
	is "${KA[ka_count]} ${KA[probes]}" "0 6" "with MAX_RT_RESTART"
	left_until "$((t + 10 * SEC))" "TimeoutDelta is not touched"
	d=$((t + (10 * 7) * SEC))
	ka_dead 200000
	near "$t" "$d" 2000 "death after six more"

	mid_probes
	ka update "$n" probes=3 restart=1
	is "${KA[ka_count]}" 0 "with KEEP_ALIVE_RESTART"
}

update_interval() {
	local n t

	mid_probes
	ka update "$n" interval=20000
	left_until "$((t + 10 * SEC))" "without a flag"
	ka wait "$n" probe 4 100000
	ka times "$n" probe
	gaps "new interval from the next expiry on" "$TICK" {10,10,20}000000
	ka update "$n" interval=20000 max_rt_restart=1
	left_until "$((KA_T[3] + 20 * SEC))" "a flag, but nothing changed"
	ka run 5000
	ka update "$n" interval=12000 max_rt_restart=1
	t=${KA[t0]}
	is "${KA[ka_count]}" 4 "ProbeCount is not touched"
	left_until "$((t + 12 * SEC))" "with MAX_RT_RESTART"
	ka wait "$n" probe 5 100000
	near "${KA[t]}" "$((t + 12 * SEC))" 2000 "probe"
	ka update "$n" max_rt_restart=1 idle=50000
	left_until "$((KA[t0] + 12 * SEC))" "KaTimeout changed in mid-probes"
}

update_idle() {
	local n t

	ka_open raw 4
	ka_keepalive 60 10 5
	ka offload "$n"
	ka_ping
	ka run 10000
	ka update "$n" idle=40000 max_rt_restart=1
	t=${KA[t0]}
	left_until "$((t + 40 * SEC))" "with MAX_RT_RESTART"
	ka wait "$n" probe 1 100000
	near "${KA[t]}" "$((t + 40 * SEC))" 2000 "probe"
	ka run 10000
	ka update "$n" idle=100000 restart=1
	t=${KA[t0]}
	left_until "$((t + 100 * SEC))" "with KEEP_ALIVE_RESTART"
	ka wait "$n" probe 2 200000
	near "${KA[t]}" "$((t + 100 * SEC))" 2000 "probe"
}

# Two of them at the same time
each_has_its_own() {
	local n a b

	ka_open raw 4
	a=$n
	ka_keepalive 20 10 5
	ka_open raw 4
	b=$n
	ka_keepalive 30 4 3
	for n in "$a" "$b"; do
		ka offload "$n"
		ka peer "$n" answer=0
	done
	ka wait "$a" probe 4 200000
	ka times "$a" probe
	gaps "ten seconds" "$TICK" {10,10,10}000000
	ka times "$b" probe
	gaps "four seconds" "$TICK" {4,4}000000
	ka ntf "$b"
	is "${KA[reason]}" timeout-expiration "reason"
}

# As tcp(7): counted from the last activity.
options_while_offloaded() {
	local n t i

	ka_open raw 4
	ka offload "$n"
	ka set "$n" keepalive 1
	ka_ping
	ka peer "$n" answer=0
	ka run 20000
	ka set "$n" keepidle 30
	ka set "$n" keepintvl 4
	ka set "$n" keepcnt 3
	ka show "$n"
	is "${KA[idle]} ${KA[interval]} ${KA[probes]}" "30000 4000 3"
	i=$t
	ka_dead 100000
	due "$t" "$((i + 42 * SEC))" 2000 "death"
	ka times "$n" probe
	is "${#KA_T[@]}" 3 "probes"
	due "${KA_T[0]}" "$((i + 30 * SEC))" "$TICK" "first probe"
	gaps "probes" "$TICK" {4,4}000000

	# More idle than allowed by now: at once.
	ka_open raw 4
	ka set "$n" keepalive 1
	ka offload "$n"
	ka_ping
	ka run 20000
	ka set "$n" keepidle 15
	t=${KA[t]}
	ka wait "$n" probe 1 1000
	near "${KA[t]}" "$t" 2000 "probe"
}

user_timeout() {
	local n t i

	# Sooner than KEEPCNT: at the first expiry after it.
	ka_open raw 4
	ka_keepalive 10 5 9
	ka set "$n" user_timeout 22000
	ka offload "$n"
	is "${KA[max_rt]}" 22000
	ka_ping
	ka peer "$n" answer=0
	i=$t
	ka_dead 100000
	due "$t" "$((i + 25 * SEC))" 2000 "death"
	ka times "$n" probe
	is "${#KA_T[@]}" 3 "probes"

	# Later than KEEPCNT, and set while offloaded.
	ka_open raw 4
	ka_keepalive 10 5 2
	ka offload "$n"
	ka_ping
	ka set "$n" user_timeout 60000
	ka peer "$n" answer=0
	i=$t
	ka_dead 100000
	due "$t" "$((i + 60 * SEC))" 2000 "death"
	ka times "$n" probe
	is "${#KA_T[@]}" 10 "probes"
}

# Longer idle times that are allowed in mid-probes are no time that has passed:
# up again, the connection has all of its time.
user_timeout_goes_up() {
	local n t i

	ka_open raw 4
	ka_keepalive 10 5 9
	ka set "$n" user_timeout 60000
	ka offload "$n"
	ka_ping
	i=$t
	ka peer "$n" answer=0
	ka wait "$n" probe 1 20000
	ka update "$n" idle=100000
	ka terminate "$n"
	ka dies "$n" 300000
	is "${KA[errno]}" ETIMEDOUT
	between "$((KA[t] - i))" "$((60 * SEC))" "$((120 * SEC))" "death"
}

# ---- hand-over ----------------------------------------------------------

idle_goes_down() {
	local n t

	ka_open raw 4
	ka_keepalive 60 10 5
	ka_ping
	ka run 40000
	ka offload "$n"
	is "${KA[ka_count]}" 0
	left_until "$((t + 60 * SEC))" "TimeoutDelta" "$JIFFY"
	ka wait "$n" probe 1 100000
	near "${KA[t]}" "$((t + 60 * SEC))" "$JIFFY" "probe"
	ka times "$n" any
	is "${#KA_T[@]}" 1 "segments"
}

probes_go_down() {
	local n t i

	ka_open raw 4
	ka_keepalive 60 10 5
	ka_ping
	ka peer "$n" answer=0
	ka wait "$n" probe 2 200000
	t=${KA[t]}
	ka run 7000
	ka offload "$n"
	is "${KA[ka_count]}" 2 "ProbeCount"
	left_until "$((t + 10 * SEC))" "TimeoutDelta" 9000
	ka wait "$n" probe 5 100000
	ka times "$n" probe
	is "${#KA_T[@]}" 5
	near "${KA_T[2]}" "$((t + 10 * SEC))" 9000 "probe 3"
	near "$((KA_T[3] - KA_T[2]))" 10000000 "$TICK" "probe 4"
	near "$((KA_T[4] - KA_T[3]))" 10000000 "$TICK" "probe 5"
	i=${KA_T[4]}
	ka_dead 100000
	near "$t" "$((i + 10 * SEC))" 2000 "death"
}

probes_go_up() {
	local n t i

	ka_open raw 4
	ka_keepalive 60 10 5
	ka offload "$n"
	ka_ping
	ka peer "$n" answer=0
	ka wait "$n" probe 2 200000
	t=${KA[t]}
	ka run 7000
	ka terminate "$n"
	is "${KA[ka_count]}" 2 "ProbeCount"
	left_until "$((t + 10 * SEC))" "TimeoutDelta"
	i=$t
	ka dies "$n" 100000
	is "${KA[errno]} ${KA[err]}${KA[hup]}" "ETIMEDOUT 11"
	t=${KA[t]}
	ka times "$n" probe
	is "${#KA_T[@]}" 5 "probes"
	due "${KA_T[2]}" "$((i + 10 * SEC))" "$(grain 3000000)" "probe 3"
	due "${KA_T[3]}" "$((KA_T[2] + 10 * SEC))" "$(grain 10000000)" \
		"probe 4"
	due "${KA_T[4]}" "$((KA_T[3] + 10 * SEC))" "$(grain 10000000)" \
		"probe 5"
	due "$t" "$((KA_T[4] + 10 * SEC))" "$(grain 10000000)" "death"
}

idle_goes_up() {
	local n t

	ka_open raw 4
	ka_keepalive 60 10 5
	ka offload "$n"
	ka_ping
	ka run 58000
	ka terminate "$n"
	left_until "$((t + 60 * SEC))" "TimeoutDelta"
	ka wait "$n" probe 1 100000
	due "${KA[t]}" "$((t + 60 * SEC))" "$(grain 2000000)" "probe"
	ka times "$n" any
	is "${#KA_T[@]}" 1 "segments"
}

# The host's timer is late by up to an eighth: due, not fired.
zero_fires_at_once() {
	local n t i

	for i in 1 2 3 4 5; do
		ka_open raw 4
		ka_keepalive 7200 75 9
		ka_ping
		ka run 7200500
		ka times "$n" probe
		[ "${#KA_T[@]}" -gt 0 ] || break
		ka run 37000
	done
	is "${#KA_T[@]}" 0 "the host is never late"
	ka offload "$n"
	t=${KA[t0]}
	is "${KA[ka_left]}" 0 "TimeoutDelta"
	ka wait "$n" probe 1 1000
	near "${KA[t]}" "$t" 2000 "probe"
	ka run 60000
	ka times "$n" any
	is "${#KA_T[@]}" 1 "segments"
}

# Timestamps never step back, whoever sends.
stamps_go_on() {
	local family=$1 stamps=$2 n i

	ka_open raw "$family" ts="$stamps"
	ka_keepalive 3 1 9
	for i in 1 2 3 4 5; do
		ka offload "$n"
		ka run 7000
		ka write "$n" 100
		ka send "$n" AP len=20
		ka send "$n" A seq=-1
		ka terminate "$n"
		ka run 7000
		ka write "$n" 100
		ka send "$n" AP len=20
		ka send "$n" A seq=-1
	done
	ka times "$n" probe
	[ "${#KA_T[@]}" -ge 15 ] || fail "only ${#KA_T[@]} probes"
	ka stamps "$n"
	is "${KA[with]} ${KA[back]}" "$((stamps * KA[all])) 0" "timestamps"
}

# What is echoed is what the peer said last, whoever has heard it.
echo_goes_on() {
	local n stamp up

	ka_open raw "$1"
	for up in 0 1 0 1; do
		ka run 1000
		ka send "$n" A
		stamp=${KA[tsval]}
		if [ "$up" = 1 ]; then
			ka terminate "$n"
		else
			ka offload "$n"
		fi
		ka clear "$n"
		ka write "$n" 10
		ka wait "$n" data 1 1000
		ka last "$n" data
		is "${KA[tsecr]}" "$stamp" "TSecr"
	done
}

# ---- control interface --------------------------------------------------

ticks() {
	local hz=$1 n t ms=$((1000 / $1))

	chimney -n "$H" dev set chim0 hz "$hz"
	defer chimney -n "$H" dev set chim0 hz 1000
	ka_open raw 4
	ka set "$n" keepalive 1
	ka offload "$n" idle=$((100 * hz)) interval=$((10 * hz)) probes=2
	is "${KA[hz]}" "$hz"
	ka show "$n"
	is "${KA[idle]} ${KA[interval]}" "$((100 * hz)) $((10 * hz))"
	ka_ping
	ka peer "$n" answer=0
	ka get "$n" keepidle
	is "${KA[v]}" 100 "the program sees seconds"
	# Rounded up: not less than what is left, and by less than a tick.
	ka run 12345
	ka show "$n"
	between "$((KA[ka_left] * ms * 1000))" \
		"$((t + 100 * SEC - KA[t1]))" \
		"$((t + 100 * SEC - KA[t0] + ms * 1000))" "TimeoutDelta"
	ka update "$n" idle=$((150 * hz))
	ka wait "$n" probe 2 200000
	ka times "$n" probe
	due "${KA_T[0]}" "$((t + 150 * SEC))" "$TICK" "first probe"
	gaps "probes" "$TICK" 10000000
}

never_zero_unless_due() {
	local n t

	chimney -n "$H" dev set chim0 hz 10
	defer chimney -n "$H" dev set chim0 hz 1000
	ka_open raw 4
	ka set "$n" keepalive 1
	ka offload "$n" idle=100 interval=100 probes=2
	ka_ping
	ka run 9950
	ka show "$n"
	is "${KA[ka_left]}" 1 "TimeoutDelta of 50 ms in tenths of a second"
	ka times "$n" probe
	is "${#KA_T[@]}" 0
}

# ---- an independent reader ----------------------------------------------

wireshark_knows_them() {
	local n t pcap=$ktap_tmp/pcap want

	capture "$pcap" "$P" veth1 tcp
	ka_open native "$1"
	ka_keepalive 20 5 4
	ka offload "$n"
	ka pwrite "$n" 10
	ka run 1000
	ka clear "$n"
	ka wait "$n" probe 3 100000
	ka times "$n" probe
	is "${#KA_T[@]}" 3
	ka run 1000
	capture_stop "$pcap"
	tshark -n -r "$pcap" -T fields -e tcp.analysis.keep_alive \
		-e tcp.analysis.keep_alive_ack -e tcp.len \
		> "$ktap_tmp/keepalive" 2> "$ktap_tmp/tshark" ||
		fail "tshark: $(< "$ktap_tmp/tshark")"
	cat "$ktap_tmp/keepalive"
	want=$'1\t\t0\n\t1\t0'
	want=$want$'\n'$want$'\n'$want
	is "$(tail -n 6 "$ktap_tmp/keepalive")" "$want" "what tshark says"
	is "$(grep -c '^1' "$ktap_tmp/keepalive")" 3 "keepalives in all"
}

# each NAME FUNCTION: over IPv4 and IPv6, with timestamps and without.
each() {
	local family stamps

	for family in 4 6; do
		for stamps in 1 0; do
			ka_run "$1, IPv$family, timestamps $stamps" \
				"$2" "$family" "$stamps"
		done
	done
}

ka_start

each "KA-1 KA-2 KA-3 KA-10 KA-15 KA-16 life and death" life
ka_run "KA-1 off by default, up and down" off_by_default
ka_run "KA-1 KA-12 switched by the program" switched_while_offloaded program
ka_run "KA-1 KA-12 switched by an administrator" switched_while_offloaded admin
ka_run "KA-1 KA-6 KA-12 BLD-3 switched, then handed over" switched_then_up
each "KA7 answers probes at once" answers_probes
ka_run "KA7 Linux lives on the answers" answers_linux
ka_run "KA-9 an ACK restarts the idle time" restarted_by ack
ka_run "KA-9 data restarts the idle time" restarted_by data
ka_run "KA-9 the ACK of our data restarts the idle time" restarted_by write
ka_run "KA3 no probe while data is outstanding" not_while_data_is_outstanding
ka_run "KA5 one lost answer does not kill" one_lost_answer_does_not_kill
ka_run "KA-14 worked example" worked_example
ka_run "KA4 Linux's defaults, two hours to the tick" linux_defaults
for family in 4 6; do
	ka_run "KA-10 Linux falls silent, IPv$family" linux_falls_silent \
		"$family"
done

ka_run "KA-11 BLD-1 restart sends nothing and measures afresh" restart
ka_run "KA-13 BLD-2 new probe count" update_probe_count
ka_run "KA-13 BLD-2 new interval" update_interval
ka_run "KA-13 BLD-2 new idle time" update_idle
ka_run "KA-2 each connection has values of its own" each_has_its_own
ka_run "KA1 options set while offloaded" options_while_offloaded
ka_run "KA13 user timeout decides instead of the count" user_timeout
ka_run "KA13 user timeout goes up in mid-probes" user_timeout_goes_up

ka_run "KA-5 goes down in the idle time" idle_goes_down
ka_run "KA-4 KA-5 goes down in mid-probes" probes_go_down
ka_run "KA-8 goes up in the idle time" idle_goes_up
ka_run "KA-8 goes up in mid-probes" probes_go_up
ka_run "KA-7 TMR-3 0 fires at once" zero_fires_at_once
each "KA10 TS-3 timestamps over hand-overs" stamps_go_on
for family in 4 6; do
	ka_run "TS-6 TSecr over hand-overs, IPv$family" echo_goes_on "$family"
done

for hz in 10 100 1000; do
	ka_run "TIM-1 TIM-2 ticks of 1/$hz s" ticks "$hz"
done
ka_run "BLD-38 a running timer is never 0 unless due" never_zero_unless_due

ka_run "KA6 tshark knows them, IPv4" wireshark_knows_them 4
ka_run "KA6 tshark knows them, IPv6" wireshark_knows_them 6

finish
