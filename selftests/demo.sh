#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A connection goes down the chimney and comes back, in virtual time: four
# hours pass in seconds.  Two copies of socat hold a connection to the same
# peer, with the keepalive Windows has by default: two hours idle, then ten
# probes a second apart.  One of them is offloaded, the other one is left
# alone.  What is shown of the wire was captured there by tcpdump.
#
# Run it with "make demo".  Fails if anything did not happen as it should.

# Not a test: no KTAP.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh" > /dev/null

export TZ=UTC0
readonly IDLE=7200 PROBES=10
readonly A=40001 B=40002	# ports: the offloaded one, the untouched one
dir=$ktap_tmp

die() {
	echo "demo: $*" >&2
	ktap_finished=1
	exit 1
}

# step TEXT: what comes now, with the time of day.
step() {
	printf '\n%(%T)T  %s\n' -1 "$*"
}

# host COMMAND..., peer COMMAND...: print and run it; what it prints is
# indented, and kept in $out.
host() {
	show host "$H" "$@"
}

peer() {
	show peer "$P" "$@"
}

show() {
	local who=$1 ns=$2
	shift 2

	echo "  $who\$ $*"
	out=$(ip netns exec "$ns" bash -o pipefail -c "$*" 2>&1) ||
		die "failed: $out"
	[ -z "$out" ] || wrap <<< "$out"
}

# Indented, 80 columns.
wrap() {
	awk '{
		for (line = " "; NF; sub(/^ *[^ ]+ */, "")) {
			if (length(line $1) > 76) {
				print line
				line = "     "
			}
			line = line " " $1
		}
		print line
	}'
}

clock() {
	echo "$EPOCHREALTIME"
}

# Whenever everything waits, virtual time jumps to the next timer, also while
# what we print is on its way out.  Therefore something runs, but for the times
# when we let time pass.
busy() {
	renice -n 19 "$BASHPID" > /dev/null
	while :; do :; done
}

# pass COMMAND...: let time pass while it runs.
pass() {
	local rc

	kill -STOP "$busy"
	"$@"
	rc=$?
	kill -CONT "$busy"
	return "$rc"
}

# until_clock TIME
until_clock() {
	pass advance "$(awk -v t="$1" -v now="$(clock)" \
		'BEGIN { t -= now; printf "%f", (t > 0 ? t : 0) }')"
}

calc() {
	awk "BEGIN { printf \"%.6f\", $* }"
}

# start NAME PORT: the program; its connection, and what it says.
start() {
	mkfifo "$dir/$1.in"
	exec {input}<> "$dir/$1.in"
	ip netns exec "$H" socat -d -d -lu STDIO "TCP:192.0.2.2:7,$(
		)sourceport=$2,keepalive,keepidle=$IDLE,keepintvl=1,$(
		)keepcnt=$PROBES" \
		<&"$input" > "$dir/$1.out" 2> "$dir/$1.log" &
	pid=$!
	defer kill_wait "$pid"
	slowwait 10 grep -q 'starting data transfer' "$dir/$1.log" ||
		die "no connection"
}

# sock_fd PORT: the descriptor of the socket.
sock_fd() {
	inh ss -Htnp "sport = :$1" | sed -n 's/.*,fd=\([0-9]*\).*/\1/p'
}

greet() {
	echo "$2" > "$dir/$1.in"
	slowwait 10 grep -qx "$2" "$dir/$1.out" || die "no echo"
}

# wire FILTER...: segments captured so far, with seconds.
wire() {
	tcpdump -tt -nr "$dir/wire" "$@" 2> /dev/null
}

# first SECONDS FILTER..., last SECONDS FILTER...: time of the first segment
# after, or the last one before that moment.
first() {
	wire "${@:2}" | awk -v t="$1" '$1 > t { print $1; exit }'
}

last() {
	wire "${@:2}" | awk -v t="$1" '$1 < t { l = $1 } END { print l }'
}

# print_wire FROM TO PORT: as tcpdump prints it, but for windows, options and
# the length, which is 0, and with the sender behind.
print_wire() {
	echo "  host\$ tcpdump -n -r wire port $3"
	wire port "$3" | awk -v from="$1" -v to="$2" -v up="${uploaded:-9e9}" \
		-v nic="$([ "$3" -eq $A ] && echo NIC || echo host)" '
		$1 < from || $1 > to { next }
		{
			by = $1 < up ? nic : "host"
			if (index($3, "192.0.2.2") == 1)
				by = "peer"
			s = int($1) % 86400
			sub(/^[^.]*/, sprintf("%02d:%02d:%02d", s / 3600,
				s / 60 % 60, s % 60))
			sub(/ IP /, " ")
			sub(/ win [0-9]*,( options \[.*\],)?/, "")
			sub(/, length 0/, "")
			printf "  %-73s %s\n", $0, by
		}'
}

# late FROM TO: seconds, for people.
late() {
	awk -v d="$(calc "$2 - $1")" 'BEGIN {
		printf "%.2f", (d * d < 0.000025 ? 0 : d) }'
}

in_time() {
	awk -v d="$(calc "$2 - $1")" -v m="$3" \
		'BEGIN { exit !(d > -m && d < m) }' ||
		die "$4: $(late "$1" "$2") s off"
}

gone() {
	! kill -0 "$1" 2> /dev/null
}

# died NAME PID: when the program was told that its connection is dead.
died() {
	pass wait_for 1 300000 gone "$2" || die "the program is still there"
	grep -q 'Connection timed out' "$dir/$1.log" ||
		die "no ETIMEDOUT: $(< "$dir/$1.log")"
	date -d "$(awk '/Connection timed out/ { print $1, $2 }' \
		"$dir/$1.log")" +%s.%N
}

[ -n "${CHIMNEY_VTIME:-}" ] || die "needs virtual time: use make demo"

# The first use of a program or a module takes its time.
rehearse() {
	topo_pair
	in_ns "$P" tc qdisc add dev veth1 clsact
	in_ns "$P" tc filter add dev veth1 ingress protocol ip matchall \
		action drop
	inh chimney conn
	inh chimney conn update 1 keepalive-restart
	inh ethtool -S chim0
}

(
	defer_stack=()
	trap defer_run EXIT
	rehearse > /dev/null 2>&1
)
topo_pair
background busy
busy=$BG
capture "$dir/wire" "$H" veth0 tcp
background inp socat TCP-LISTEN:7,reuseaddr,fork PIPE
wait_port "$P" 7
# Linux keeps timers of two hours in slots of 131 s, which begin with those of
# jiffies.  A moment is chosen in which that means neither luck nor misfortune.
read -r up _ < /proc/uptime
pass advance "$(calc "131.072 - ($up + 18.7) % 131.072")"
date -s 2026-01-01 > /dev/null	# the guest's clock: midnight

echo "         host: chim0, on veth0 -------- peer: veth1, an echo server"
step "Two programs connect, with keepalive as in Windows: 2 h, 10 probes, 1 s."
start a "$A"
pid_a=$pid
start b "$B"
pid_b=$pid
greet a hello
greet b hello
host ss -Htno dport = 7
heard_a=$(last 9e9 src 192.0.2.2 and port $A)
heard_b=$(last 9e9 src 192.0.2.2 and port $B)

step "The first one is offloaded.  Its program notices nothing."
host "chimney conn offload pid $pid_a fd $(sock_fd "$A")" \
	"| head -1"
[[ $out == *": nic chim0 "* ]] || die "not offloaded"

due_a=$(calc "$heard_a + $IDLE")
until_clock "$(calc "$due_a + 1")"
step "Two hours later the NIC has sent a probe, and the peer an answer."
from=$(calc "$due_a - 1")
print_wire "$from" 9e9 "$A"
probe_a=$(first "$from" src 192.0.2.1 and port $A)
[ -n "$probe_a" ] || die "no probe"
[ -n "$(first "$probe_a" src 192.0.2.2 and port $A)" ] || die "no answer"
in_time "$due_a" "$probe_a" 0.02 "first probe"

until_clock "$(calc "$due_a + 5")"
step "An update: the idle time is to count from now, 5 s later."
before=$(clock)
host "chimney conn update src 192.0.2.1:$A keepalive-restart | head -1"
[[ $out == *"probes 0/10"* ]] || die "not restarted"
# Somewhen in between; what the command took is not the NIC's lateness.
next_a=$(calc "($before + $(clock)) / 2 + $IDLE")

until_clock "$(calc "$due_a + 140")"
due_b=$(calc "$heard_b + $IDLE")
probe_b=$(first "$(calc "$due_b - 1")" src 192.0.2.1 and port $B)
[ -n "$probe_b" ] || die "the untouched connection has sent no probe"
step "The untouched connection has probed, too: $(
	late "$due_b" "$probe_b") s late."
echo "          Linux keeps a timer of two hours in a slot of 131 s."
print_wire "$probe_b" 9e9 "$B"
heard_b=$(last 9e9 src 192.0.2.2 and port $B)
next_b=$(calc "$heard_b + $IDLE")

step "The peer falls silent."
peer "tc qdisc add dev veth1 clsact"
peer "tc filter add dev veth1 ingress protocol ip matchall action drop"

until_clock "$(calc "$next_a + 3.6")"
step "Two hours after the update, amid the NIC's probes, back to the host."
host "chimney conn terminate src 192.0.2.1:$A" \
	"| grep timeout-delta"
uploaded=$(clock)
[[ $out == *"probe-count 4 timeout-delta "[1-9]*ms* ]] ||
	die "not in the middle of the probes"

end_a=$(died a "$pid_a")
step "The host goes on where the NIC was; then the program has ETIMEDOUT."
from=$(calc "$next_a - 1")
print_wire "$from" 9e9 "$A"
probe2_a=$(first "$from" src 192.0.2.1 and port $A)
grep 'timed out' "$dir/a.log" | wrap
n=$(wire src 192.0.2.1 and port $A and 'tcp[tcpflags] & tcp-rst == 0' |
	awk -v t="$from" '$1 > t' | wc -l)
[ "$n" -eq "$PROBES" ] || die "$n probes instead of $PROBES"
in_time "$next_a" "$probe2_a" 0.05 "probe after the update"
in_time "$(calc "$next_a + $PROBES")" "$end_a" 0.5 "end"
probes=$(inh ethtool -S chim0 | awk '/keepalive_probes/ { print $2 }')
[ "$probes" -eq 5 ] || die "the NIC sent $probes probes instead of 5"

end_b=$(died b "$pid_b")
probe2_b=$(first "$(calc "$next_b - 1")" src 192.0.2.1 and port $B)
step "The untouched connection has come to its end, too.  Who was late?"
cat << END
                first probe   next probe     ETIMEDOUT
    offloaded $(printf '%13s s %10s s %11s s' \
	"$(late "$due_a" "$probe_a")" "$(late "$next_a" "$probe2_a")" \
	"$(late "$(calc "$next_a + $PROBES")" "$end_a")")
    untouched $(printf '%13s s %10s s %11s s' \
	"$(late "$due_b" "$probe_b")" "$(late "$next_b" "$probe2_b")" \
	"$(late "$(calc "$next_b + $PROBES")" "$end_b")")
END
ktap_finished=1
