# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For the scripts of this folder.  A script looks like this:
#
#	#!/bin/bash
#	. "$(dirname "$0")/lib.sh"
#
#	addresses_survive() {
#		topo_pair
#		inh ip link set chim0 down
#		inh ip address show dev chim0 | grep -q 192.0.2.1
#	}
#
#	run "addresses survive link down" addresses_survive
#	finish
#
# A test function runs in a subshell under "set -e": the first command that
# fails fails the test and is named in the output.  What it defers, and
# namespaces it sets up, end with it; what is set up outside of a test ends
# with the script.
#
# Test names are stable, unique, and hold no "#".

if [ -z "${BASH_VERSION:-}" ]; then
	echo "Bail out! bash is needed"
	exit 1
fi

export LC_ALL=C

ktap_tmp=$(mktemp -d "${TMPDIR:-/tmp}/ksft.XXXXXX")
ktap_count=0
ktap_failed=0
ktap_skipped=0
ktap_plan=
ktap_finished=
exec {ktap_idle}<> <(:)

echo "TAP version 13"

# ---- results ------------------------------------------------------------

# plan N: announce the number of tests first; without it, finish prints it.
plan() {
	ktap_plan=$1
	echo "1..$1"
}

ktap_diag() {
	[ -s "$ktap_tmp/out" ] || return 0
	sed 's/^/# /' "$ktap_tmp/out"
	: > "$ktap_tmp/out"
}

ktap_result() {
	local rc=$1 name=$2 reason=
	local line=

	ktap_count=$((ktap_count + 1))
	ktap_diag
	# Other commands may exit with 4 as well.
	[ ! -s "$ktap_tmp/reason" ] || reason=yes
	case $rc.$reason in
	0.*)
		line="ok $ktap_count $name"
		;;
	4.yes)
		ktap_skipped=$((ktap_skipped + 1))
		line="ok $ktap_count $name # SKIP $(< "$ktap_tmp/reason")"
		;;
	*)
		ktap_failed=$((ktap_failed + 1))
		line="not ok $ktap_count $name"
		;;
	esac
	[ ! -e "$ktap_tmp/reason" ] || rm -f "$ktap_tmp/reason"
	echo "$line"
}

# run NAME FUNCTION [ARG]...: one test.
run() {
	local name=$1 rc

	shift
	: > "$ktap_tmp/out"
	set +e
	(
		defer_stack=()
		trap ktap_end_test EXIT
		trap 'ktap_blame $? "$BASH_COMMAND"' ERR
		set -eE -o pipefail
		"$@"
	) > "$ktap_tmp/out" 2>&1 < /dev/null
	rc=$?
	ktap_result "$rc" "$name"
}

# The lines that led here, those of this file left out.
ktap_where() {
	local i

	for ((i = 1; i < ${#FUNCNAME[@]} - 1; i++)); do
		[ "${FUNCNAME[i]}" = run ] && break
		[ "${BASH_SOURCE[i]}" = "${BASH_SOURCE[0]}" ] && continue
		printf ' %s:%s' "${BASH_SOURCE[i]##*/}" "${BASH_LINENO[i - 1]}"
	done
}

# Names the failing command, once.
ktap_blame() {
	[ -z "${ktap_blamed:-}" ] || return 0
	ktap_blamed=1
	echo "FAILED (status $1):$(ktap_where): $2"
}

# fail REASON..., skip REASON...: leave the test at once.
fail() {
	echo "FAILED:$(ktap_where): $*"
	ktap_blamed=1
	exit 1
}

skip() {
	echo "$*" > "$ktap_tmp/reason"
	exit 4
}

# is GOT WANTED [WHAT]: equal strings.
is() {
	[ "$1" = "$2" ] && return 0
	fail "${3:-value}: got '$1', wanted '$2'"
}

# between VALUE LOW HIGH [WHAT]: numbers, also fractions, both ends included.
between() {
	awk -v v="$1" -v a="$2" -v b="$3" 'BEGIN { exit !(v ~ /^[-+.0-9e]+$/ &&
		v + 0 >= a + 0 && v + 0 <= b + 0) }' && return 0
	fail "${4:-value}: got '$1', wanted $2 to $3"
}

# refused [-m TEXT] COMMAND...: must fail, and say TEXT if one is given.
refused() {
	local text='' out

	if [ "$1" = -m ]; then
		text=$2
		shift 2
	fi
	if out=$("$@" 2>&1); then
		fail "not refused: $*"
	fi
	[[ $out == *"$text"* ]] || fail "refused with '$out', not '$text': $*"
}

# finish: the last line of a script.  One that ends otherwise has failed.
finish() {
	[ -n "$ktap_plan" ] || echo "1..$ktap_count"
	echo "# Totals: pass:$((ktap_count - ktap_failed - ktap_skipped))" \
		"fail:$ktap_failed skip:$ktap_skipped"
	ktap_finished=1
	[ "$ktap_failed" -eq 0 ] || exit 1
	if [ -n "$ktap_plan" ] && [ "$ktap_plan" -ne "$ktap_count" ]; then
		exit 1
	fi
	exit 0
}

# ---- things to undo -----------------------------------------------------

defer_stack=()

# defer COMMAND...: run when the test, or the script, ends; last one first.
defer() {
	local word cmd=

	for word; do
		cmd+=" ${word@Q}"
	done
	defer_stack+=("$cmd")
}

defer_run() {
	local i

	trap - ERR
	set +eE
	for ((i = ${#defer_stack[@]} - 1; i >= 0; i--)); do
		eval "${defer_stack[i]}" > /dev/null 2>&1
	done
	defer_stack=()
}

ktap_end_test() {
	local rc=$?

	trap - EXIT
	defer_run
	exit "$rc"
}

ktap_end_script() {
	local rc=$?

	if [ -z "$ktap_finished" ]; then
		[ -s "$ktap_tmp/out" ] && ktap_diag
		echo "# the script ended before finish"
		[ "$rc" -ne 0 ] || rc=1
	fi
	trap - EXIT
	defer_run
	rm -rf "$ktap_tmp"
	exit "$rc"
}
trap ktap_end_script EXIT
trap 'exit 143' TERM INT HUP

# background COMMAND...: start it, kill it at the end; its pid is in $BG.
background() {
	"$@" &
	BG=$!
	defer kill_wait "$BG"
}

kill_wait() {
	kill "$@" 2> /dev/null
	wait "$@" 2> /dev/null
	return 0
}

# ---- waiting ------------------------------------------------------------

now_ms() {
	local up

	read -r up _ < /proc/uptime
	up=${up/./}
	echo "$((10#$up * 10))"
}

# pause SECONDS: only to poll; a test never waits a fixed time for something.
pause() {
	read -r -t "$1" -u "$ktap_idle" || :
}

wait_for() {
	local step=$1 ms=$2 end
	shift 2

	! slow_kernel || ms=$((ms * 5))
	end=$(($(now_ms) + ms))
	while ! "$@"; do
		if [ "$(now_ms)" -ge "$end" ]; then
			echo "waited $ms ms in vain for: $*"
			return 1
		fi
		pause "$step"
	done
}

# busywait MILLISECONDS COMMAND..., slowwait SECONDS COMMAND...: repeat the
# command until it succeeds; fail when it did not within that time.
busywait() {
	wait_for 0.01 "$@"
}

slowwait() {
	local seconds=$1
	shift
	wait_for 0.1 $((seconds * 1000)) "$@"
}

# advance SECONDS: let virtual time pass.  In real time the test is skipped.
advance() {
	[ -n "${CHIMNEY_VTIME:-}" ] || skip "needs virtual time"
	pause "$1"
}

port_listens() {
	[ -n "$(ip netns exec "$1" ss -Hln"${3:-t}" "sport = :$2")" ]
}

# wait_port NAMESPACE PORT [t|u]: until somebody listens.
wait_port() {
	slowwait 20 port_listens "$@"
}

# Does the kernel watch itself? There code takes its time.
slow_kernel() {
	[ -e /proc/lockdep ]
}

# ---- namespaces and topology --------------------------------------------

# setup_ns VARIABLE...: a namespace each, named at random, deleted at the end.
setup_ns() {
	local var name

	for var; do
		printf -v name '%s-%04x%04x' "${var,,}" "$RANDOM" "$RANDOM"
		ip netns add "$name"
		defer cleanup_ns "$name"
		printf -v "$var" %s "$name"
		export "${var?}"
		ip -n "$name" link set lo up
		ip netns exec "$name" sysctl -qw \
			net.ipv6.conf.all.accept_dad=0 \
			net.ipv6.conf.default.accept_dad=0
	done
}

cleanup_ns() {
	local pids

	pids=$(ip netns pids "$1")
	# shellcheck disable=SC2086
	[ -n "$pids" ] && kill -9 $pids
	ip netns delete "$1"
}

# in_ns NAMESPACE COMMAND..., and in the two of topo_pair:
in_ns() {
	ip netns exec "$@"
}

inh() {
	ip netns exec "$H" "$@"
}

inp() {
	ip netns exec "$P" "$@"
}

# topo_veth: two namespaces joined by a wire, lower ends only.
#
#	$H  veth0 ------------------- veth1  $P
#
topo_veth() {
	setup_ns H P
	ip link add veth0 netns "$H" type veth peer name veth1 netns "$P"
	ip -n "$H" link set veth0 up
	ip -n "$P" -batch - <<-EOF
		link set veth1 up
		address add 192.0.2.2/24 dev veth1
		address add 2001:db8::2/64 dev veth1 nodad
	EOF
}

# topo_pair [LINK-OPTION...]: host with the device, and a plain peer.
#
#	$H  chim0 192.0.2.1/24 2001:db8::1/64
#	      |
#	    veth0 ------------------- veth1  $P 192.0.2.2/24 2001:db8::2/64
#
topo_pair() {
	topo_veth
	ip -n "$H" link add link veth0 name chim0 type chimney "$@"
	topo_addresses chim0
}

# topo_plain: the same wire and addresses without the device.
topo_plain() {
	topo_veth
	topo_addresses veth0
}

topo_addresses() {
	ip -n "$H" -batch - <<-EOF
		address add 192.0.2.1/24 dev $1
		address add 2001:db8::1/64 dev $1 nodad
		link set $1 up
	EOF
	busywait 5000 link_runs "$H" "$1"
	busywait 5000 link_runs "$P" veth1
}

link_runs() {
	[[ $(ip -n "$1" link show dev "$2") == *LOWER_UP* ]]
}

# capture FILE NAMESPACE DEVICE [FILTER...]: returns when packets are seen;
# capture_stop FILE: returns when all of them are in the file.
capture() {
	local file=$1 ns=$2 dev=$3
	shift 3

	ip netns exec "$ns" tcpdump --immediate-mode -U -n -s 0 -i "$dev" \
		-w "$file" "$@" 2> "$file.err" &
	echo $! > "$file.pid"
	defer kill_wait "$!"
	busywait 10000 grep -q 'listening on' "$file.err"
}

capture_stop() {
	local pid

	pid=$(< "$1.pid")
	kill -INT "$pid"
	wait "$pid" || :
}
