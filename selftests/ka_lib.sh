# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For the timer tests: ka_tool in the background, its answers in variables,
# times compared.  Times are microseconds of CLOCK_MONOTONIC.  An argument of
# the script is a regular expression: only tests whose names match are run.
#
#	ka open raw 4			# KA[n] is the number of the connection
#	ka wait "$n" probe 3 60000	# up to 60 virtual seconds
#	ka times "$n" probe		# KA_T: the times
#	near "${KA_T[1]}" "$((KA_T[0] + 10 * SEC))" "$TICK" "second probe"

: "${KA_LIB_DIR:=$(dirname "${BASH_SOURCE[0]}")}"
ka_only=${1:-}

# shellcheck disable=SC2034
SEC=1000000
# shellcheck disable=SC2034
TICK=1000
# A jiffy of the host, at 250 a second, and a tick.
# shellcheck disable=SC2034
JIFFY=5000

# What is late on a slow kernel is not the timer.
KA_SLOW=1
! slow_kernel || KA_SLOW=20

# A tool that has gone is a failure with a word to it, not a signal.
trap : PIPE

declare -A KA=()
declare -a KA_T=()

# What the host's own timer may add to a span of so many microseconds: an
# eighth, never less than two jiffies.
grain() {
	local g=$(($1 / 8))

	echo "$((g > 8000 ? g : 8000))"
}

# ka_start: the topology of topo_pair and the tool in it.
ka_start() {
	local mac

	topo_pair
	mac=$(inp cat /sys/class/net/veth1/address)
	ip -n "$H" -batch - <<-END
		neigh add 192.0.2.9 lladdr $mac dev chim0 nud permanent
		neigh add 2001:db8::9 lladdr $mac dev chim0 nud permanent
	END
	inh sysctl -qw net.ipv4.tcp_early_retrans=0
	coproc KA_TOOL { exec "$KA_LIB_DIR/ka_tool" "$H" "$P"; }
	# A coprocess cannot be reached from the tests' subshells otherwise.
	exec {ka_in}>&"${KA_TOOL[1]}" {ka_out}<&"${KA_TOOL[0]}"
	# shellcheck disable=SC2154
	defer kill_wait "$KA_TOOL_PID"
}

# ka_try COMMAND...: the answer is in KA, that of "times" in KA_T.
ka_try() {
	local word

	{ echo "$*" >&"$ka_in" && read -r -u "$ka_out" KA_TEXT; } ||
		fail "ka_tool is gone: $*"
	if [ "$1" = times ]; then
		read -r -a KA_T <<< "${KA_TEXT#ok}"
	else
		KA=()
		for word in $KA_TEXT; do
			[[ $word != *=* ]] || KA[${word%%=*}]=${word#*=}
		done
	fi
	[[ $KA_TEXT == ok* ]]
}

ka() {
	ka_try "$@" || fail "$*: $KA_TEXT"
}

# ka_fails COMMAND...: such as a wait that must be in vain.
ka_fails() {
	! ka_try "$@" || fail "$*: $KA_TEXT"
}

# near GOT WANTED TOLERANCE WHAT: late or early by the tolerance at most.
near() {
	local off=$(($1 - $2)) most=$(($3 * KA_SLOW))

	echo "$4: $off us off"
	((off <= most && off >= -most)) || fail "$4: off by $off us"
}

# due GOT WANTED TOLERANCE WHAT: never early, late by the tolerance at most.
# The time of a segment is taken a little before or after it is handled.
due() {
	local off=$(($1 - $2)) most=$(($3 * KA_SLOW))

	echo "$4: $off us late"
	((off <= most && off >= -200 * KA_SLOW)) || fail "$4: $off us late"
}

# gaps WHAT TOLERANCE GAP...: KA_T are so far apart; what is left over is
# an error.
gaps() {
	local what=$1 tolerance=$2 i=1
	shift 2

	is "${#KA_T[@]}" "$(($# + 1))" "$what: number of segments"
	while [ $# -gt 0 ]; do
		near "$((KA_T[i] - KA_T[i - 1]))" "$1" "$tolerance" \
			"$what: gap $i"
		i=$((i + 1))
		shift
	done
}

# left_until WANTED WHAT [TOLERANCE]: the keepalive timer that was just shown,
# in ticks of a millisecond, rounded up.
left_until() {
	near "$((KA[t0] + KA[ka_left] * 1000))" "$1" "${3:-2000}" "$2"
}

# ka_open raw|native 4|6 [KEY=VALUE...]: KA[n], and the same in n.
ka_open() {
	ka open "$@"
	n=${KA[n]}
}

# ka_keepalive IDLE INTERVAL COUNT: turn it on, in seconds.
ka_keepalive() {
	ka set "$n" keepidle "$1"
	ka set "$n" keepintvl "$2"
	ka set "$n" keepcnt "$3"
	ka set "$n" keepalive 1
}

# ka_ping: something comes from the peer; t is when.
ka_ping() {
	ka send "$n" A
	t=${KA[t]}
	ka clear "$n"
}

# ka_dead BEFORE-MS [ERROR]: wait for the program to be told; t is when.
ka_dead() {
	ka dies "$n" "$1"
	is "${KA[errno]}" "${2:-ETIMEDOUT}" "what the program sees"
	is "${KA[err]}${KA[hup]}" 11 "EPOLLERR and EPOLLHUP"
	t=${KA[t]}
	ka ntf "$n"
	is "${KA[reason]}" timeout-expiration "reason"
	is "${KA[state]}" closed "state"
	ka times "$n" rst
	is "${#KA_T[@]}" 1 "RST on the wire"
	near "${KA_T[0]}" "$t" 2000 "RST"
}

# ka_run NAME FUNCTION [ARG...]: a test with the connections to itself.
ka_run() {
	local name=$1
	shift

	[[ $name =~ $ka_only ]] || return 0
	run "$name" "$@"
	if ! ka_try reset; then
		echo "Bail out! ka_tool: $KA_TEXT"
		exit 1
	fi
}
