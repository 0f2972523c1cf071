# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For scripts that use the program "stream" between $H and $P of lib.sh; source
# lib.sh first.

: "${ktap_tmp:?lib.sh is missing}"

stream_program=$(dirname "$(realpath "$0")")/stream

# netem OPTION...: what happens to packets on the wire, both ways; again to
# change it, without options to end it.
netem() {
	local addr

	if [ $# -eq 0 ]; then
		inh tc qdisc delete dev veth0 root
		inp tc qdisc delete dev veth1 root
		return
	fi
	# Nothing connects if three questions for a neighbour in turn are lost.
	if ! grep -q netem < <(inh tc qdisc show dev veth0); then
		for addr in 192.0.2.2 2001:db8::2; do
			inh busybox ping -q -c 1 -W 5 "$addr" > /dev/null
		done
	fi
	inh tc qdisc replace dev veth0 root netem limit 10000 "$@"
	inp tc qdisc replace dev veth1 root netem limit 10000 "$@"
}

# stream OPTION...: to the end; its line of results is in $stream_out.
stream() {
	inh "$stream_program" -P "$P" "$@" > "$ktap_tmp/stream"
	stream_out=$(tail -n 1 "$ktap_tmp/stream")
	echo "$* $stream_out"
}

# stream_start OPTION...: returns when its connections are there;
# stream_stop: has it send the last bytes and end; it must be content.
stream_start() {
	: > "$ktap_tmp/stream"
	ip netns exec "$H" "$stream_program" -P "$P" -u "$@" \
		> "$ktap_tmp/stream" &
	stream_pid=$!
	defer kill_wait -9 "$stream_pid"
	busywait 30000 stream_ready
}

stream_ready() {
	grep -q ready "$ktap_tmp/stream" && return
	kill -0 "$stream_pid" || fail "stream has ended"
	return 1
}

stream_stop() {
	kill -TERM "$stream_pid"
	wait "$stream_pid"
	stream_out=$(tail -n 1 "$ktap_tmp/stream")
	echo "$stream_out"
}

# result NAME: a number of the line of results.
result() {
	sed -n "s/.*\b$1=\([0-9]*\).*/\1/p" <<< "$stream_out"
}

# at_least NUMBER NAME...: of the line of results.
at_least() {
	local min=$1 name
	shift

	for name; do
		[ "$(result "$name")" -ge "$min" ] ||
			fail "$name: less than $min"
	done
}

# in_nic: how many connections the NIC has; nic_has N: is it that many?
in_nic() {
	inh chimney -j dev show chim0 | jq '.[0].conns'
}

nic_has() {
	[ "$(in_nic)" -eq "$1" ]
}

# counter NAME: of the device.
counter() {
	inh ethtool -S chim0 | awk -v name="$1:" '$1 == name { print $2 }'
}

# snmp NAMESPACE NAME...: the sum of these counters of its TCP.
snmp() {
	in_ns "$1" nstat -asz "${@:2}" |
		awk '/^Tcp/ { sum += $2 } END { print sum + 0 }'
}
