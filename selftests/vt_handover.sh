#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Hand-overs, very many of them: the next event happens when it would have
# happened without any.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/ka_lib.sh"

# Up and down a thousand times, most of it in the NIC. The same on a
# connection that is left alone tells how long it should take.
dead_peer() {
	local family=$1 host=$2 nic=$3 tolerance=$4 n t alone moved count
	local plain shaken

	ka_open raw "$family"
	ka_keepalive 60 10 3
	ka offload "$n"
	ka_ping
	plain=$n
	alone=$t
	ka_open raw "$family"
	ka_keepalive 60 10 3
	ka offload "$n"
	ka_ping
	shaken=$n
	moved=$t
	ka peer "$plain" answer=0
	ka peer "$shaken" answer=0
	count=$((host + nic > 85 ? 85000 / (host + nic) : 1000))
	ka cycle "$shaken" "$count" "$host" "$nic"
	[ "${KA[t]}" -lt "$((moved + 90 * SEC))" ] || fail "it took too long"
	[ "${KA[t]}" -gt "$((moved + 70 * SEC))" ] || fail "it was too fast"
	n=$shaken
	ka times "$n" probe
	near "${KA_T[0]}" "$((moved + 60 * SEC))" "$tolerance" "first probe"
	ka dies "$n" 200000
	is "${KA[errno]}" ETIMEDOUT
	t=${KA[t]}
	ka dies "$plain" 200000
	alone=$((KA[t] - alone))
	moved=$((t - moved))
	echo "dead after $alone us and $moved us," \
		"ratio $(((moved * 10000 + alone / 2) / alone))/10000"
	near "$moved" "$alone" "$tolerance" "detection time"
	ka times "$n" any
	is "${#KA_T[@]}" 4 "three probes and a RST"
	ka stamps "$n"
	is "${KA[with]} ${KA[back]}" "${KA[all]} 0" "timestamps"
}

# The same while a segment is retransmitted.
backing_off() {
	local n t alone moved plain shaken rto i

	chimney -n "$H" dev set chim0 max-retransmissions 6
	defer chimney -n "$H" dev set chim0 max-retransmissions 15
	ka_open raw 4
	plain=$n
	ka offload "$n"
	ka_open raw 4
	shaken=$n
	ka offload "$n"
	ka peer "$plain" answer=0
	ka peer "$shaken" answer=0
	ka clear "$plain"
	ka clear "$shaken"
	ka write "$plain" 100
	alone=${KA[t]}
	ka write "$shaken" 100
	moved=${KA[t]}
	ka cycle "$shaken" $((1000 / KA_SLOW)) 1 20
	[ "${KA[t]}" -lt "$((moved + 25 * SEC))" ] || fail "it took too long"
	ka dies "$shaken" 60000
	is "${KA[errno]}" ETIMEDOUT
	moved=$((KA[t] - moved))
	ka dies "$plain" 60000
	is "${KA[errno]}" ETIMEDOUT
	alone=$((KA[t] - alone))
	echo "dead after $alone us and $moved us," \
		"ratio $(((moved * 10000 + alone / 2) / alone))/10000"
	near "$moved" "$alone" 50000 "detection time"
	ka times "$plain" seg
	is "${#KA_T[@]}" 7 "segments of the connection left alone"
	rto=$(((KA_T[6] - KA_T[5]) / 32))
	ka times "$shaken" seg
	is "${#KA_T[@]}" 7 "segments"
	for ((i = 1; i < 7; i++)); do
		near "$((KA_T[i] - KA_T[i - 1]))" "$((rto << (i - 1)))" \
			"$((10000 + (rto << i) / 64))" "gap $i"
	done
}

# How late the host is depends on how long it waits.
host_fires_when_due() {
	local left=$1 n t

	ka_open raw 4
	ka_keepalive 1000 10 3
	ka offload "$n"
	ka_ping
	ka run "$((1000000 - left))"
	ka terminate "$n"
	ka wait "$n" probe 1 2000000
	due "${KA[t]}" "$((t + 1000 * SEC))" "$(grain "$((left * 1000))")" \
		"probe"
	ka times "$n" any
	is "${#KA_T[@]}" 1 "segments"
}

# Idle for a day, handed over each hour: a probe every two hours, and no
# later than the host's timer makes it.
day_of_idling() {
	local n t i

	ka_open raw 4
	ka set "$n" keepalive 1
	ka_ping
	for ((i = 0; i < 12; i++)); do
		ka offload "$n"
		ka run 3600000
		ka terminate "$n"
		ka run 3600000
	done
	ka times "$n" probe
	is "${#KA_T[@]}" 11 "probes"
	for ((i = 0; i < 11; i++)); do
		due "${KA_T[i]}" "$((t + 7200 * SEC))" \
			"$(grain 3600000000)" "probe $((i + 1))"
		t=${KA_T[i]}
	done
}

ka_start

for family in 4 6; do
	ka_run "KA-5 KA-8 1000 hand-overs, mostly in the NIC, IPv$family" \
		dead_peer "$family" 1 75 12000
done
ka_run "KA-5 KA-8 1000 hand-overs, mostly in the host" \
	dead_peer 4 75 1 50000
ka_run "KA-5 KA-8 hand-overs, seconds each way" \
	dead_peer 4 3000 3000 500000
ka_run "RTX-4 1000 hand-overs, backing off" backing_off
for left in 10 100 1000 10000 100000; do
	ka_run "KA-8 the host fires when due, $left ms left" \
		host_fires_when_due "$left"
done
ka_run "KA-5 KA-8 a day of idling, handed over every hour" day_of_idling

finish
