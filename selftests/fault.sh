#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The NIC fails, as its knobs in debugfs say: no connection and no byte is lost,
# unless the hardware itself is lost.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=selftests/stream_lib.sh
. "$(dirname "$0")/stream_lib.sh"

# knobs NAMESPACE DEVICE: the folder.
knobs() {
	echo "/sys/kernel/debug/chimney/$2@$(ip netns exec "$1" \
		stat -L -c %i /proc/self/ns/net)"
}

# fault NAME VALUE, left NAME: of chim0.
fault() {
	echo "$2" > "$(knobs "$H" chim0)/$1"
}

left() {
	cat "$(knobs "$H" chim0)/$1"
}

used_up() {
	[ "$(left "$1")" -eq 0 ]
}

has_knobs() {
	is "$(ls "$(knobs "$1" "$2")")" \
		"$(printf '%s\n' die lose refuse run_out stall)"
}

# They follow the device.
knobs_follow() {
	topo_pair
	setup_ns X
	has_knobs "$H" chim0
	ip -n "$H" link set chim0 down
	ip -n "$H" link set chim0 name other
	has_knobs "$H" other
	[ ! -e "$(knobs "$H" chim0)" ]
	ip -n "$H" link set other netns "$X"
	has_knobs "$X" other
	ip -n "$X" link delete other
	[ ! -e "$(knobs "$X" other)" ]
}

port_of_one() {
	inh ss -Htn dst 192.0.2.2:5001 |
		sed -n '1s/.*192\.0\.2\.1:\([0-9]*\) .*/\1/p'
}

offload_one() {
	inh chimney conn offload dst 192.0.2.2:5001 \
		src "192.0.2.1:$(port_of_one)"
}

refuses() {
	topo_pair
	stream_start -n 1 -b 20000
	fault refuse 2
	refused -m "the NIC refuses" offload_one
	refused -m "the NIC refuses" offload_one
	nic_has 0
	offload_one
	nic_has 1
	stream_stop
}

# A hand-over finds no room, and goes on as if it had not been tried.
no_room() {
	topo_pair
	stream_start -n 1 -b 20000
	fault run_out 1
	refused -m "no memory" offload_one
	nic_has 0
	offload_one
	nic_has 1
	stream_stop
}

# Buffers run out while segments are lost, and connections come and go.
runs_out() {
	topo_pair
	netem delay 1ms loss 2%
	stream_start -n 10 -b 20000 -B 65536 -k -g 2000
	fault run_out 300
	slowwait 60 used_up run_out
	stream_stop
	at_least 10 cycles
	at_least 1 refused
}

loses_indications() {
	topo_pair
	stream_start -o -n 10 -b 20000 -B 65536
	fault lose 100
	slowwait 60 used_up lose
	stream_stop
	is "$(counter uploads)" 10 uploads
}

nothing_moves() {
	local was

	was=$(stat_of rx)
	pause 1
	[ "$(stat_of rx)" -eq "$was" ]
}

stat_of() {
	inp cat "/sys/class/net/veth1/statistics/$1_packets"
}

# stalls COMMAND...: then the command, and the NIC comes back.
stalls() {
	topo_pair
	stream_start -o -n 10 -b 20000 -B 65536
	fault stall 1
	slowwait 20 nothing_moves
	"$@"
	fault stall 0
	stream_stop
}

# The host goes on where the NIC was stuck.
stalls_and_uploads() {
	stalls upload_all
	is "$(counter uploads)" 10 uploads
}

upload_all() {
	inh chimney dev upload-all chim0
	nic_has 0
}

# talk: a program here and one there, connected and offloaded; the peer's
# words are read from file descriptor $peer_in.
talk() {
	rm -f "$ktap_tmp/words"
	mkfifo "$ktap_tmp/words"
	inp socat -u "PIPE:$ktap_tmp/words" TCP-LISTEN:5001 \
		2> "$ktap_tmp/peer" &
	peer_pid=$!
	defer kill_wait "$peer_pid"
	exec {peer_in}<> "$ktap_tmp/words"
	slowwait 10 listens
	inh socat -u TCP:192.0.2.2:5001 STDOUT > "$ktap_tmp/heard" \
		2> "$ktap_tmp/host" &
	host_pid=$!
	defer kill_wait "$host_pid"
	slowwait 10 offload_one
}

listens() {
	inp ss -Htln sport = 5001 | grep -q .
}

heard() {
	[ "$(cat "$ktap_tmp/heard")" = "$1" ]
}

# The program waits for this very byte, nothing else happens that could help.
loses_the_only_indication() {
	topo_pair
	talk
	fault lose 1
	echo one >&"$peer_in"
	slowwait 20 heard one
	used_up lose
	nic_has 1
}

has_lost() {
	[ "$(left lose)" -lt 1000 ]
}

# What the NIC holds when it is asked for the connection comes with it [TRM-14].
never_indicates() {
	topo_pair
	talk
	fault lose 1000
	echo one >&"$peer_in"
	slowwait 20 has_lost
	inh chimney dev upload-all chim0
	nic_has 0
	slowwait 20 heard one
}

ended_badly() {
	local rc=0

	wait "$1" || rc=$?
	[ "$rc" -ne 0 ]
}

# What the hardware knew is gone: the host ends the connection, both sides hear
# of it [UPL-1, HWF-1]; it takes no new ones until it is mended.
dies() {
	topo_pair
	talk
	echo one >&"$peer_in"
	slowwait 20 heard one
	fault die 1
	echo two >&"$peer_in"
	ended_badly "$host_pid"
	grep -q "Software caused connection abort" "$ktap_tmp/host"
	echo three >&"$peer_in"
	ended_badly "$peer_pid"
	grep -q "reset by peer\|Broken pipe" "$ktap_tmp/peer"
	nic_has 0

	stream_start -n 1 -b 20000
	refused -m "the NIC is broken" offload_one
	nic_has 0
	fault die 0
	offload_one
	nic_has 1
	stream_stop
}

# Nobody has noticed yet when the connection is asked for.
dies_unnoticed() {
	topo_pair
	talk
	fault die 1
	inh chimney dev upload-all chim0
	ended_badly "$host_pid"
	grep -q "Software caused connection abort" "$ktap_tmp/host"
	nic_has 0
}

# It dies while a program sends, which then waits for an answer.
dies_while_sending() {
	topo_pair
	inp socat -u TCP-LISTEN:5001 OPEN:/dev/null &
	defer kill_wait "$!"
	slowwait 10 listens
	mkfifo "$ktap_tmp/go"
	inh python3 - "$ktap_tmp/go" <<- 'EOF' &
		import select, socket, sys
		s = socket.create_connection(("192.0.2.2", 5001))
		poll = select.poll()
		poll.register(s, select.POLLIN)
		open(sys.argv[1]).read()
		s.send(b"x")
		sys.exit(not poll.poll(20000))
	EOF
	host_pid=$!
	slowwait 10 offload_one
	fault die 1
	echo go > "$ktap_tmp/go"
	wait "$host_pid"
	nic_has 0
}

run "knobs follow the device" knobs_follow
run "NIC refuses" refuses
run "no room for a connection" no_room
run "buffers run out under way" runs_out
run "indications are lost" loses_indications
run "the only indication is lost" loses_the_only_indication
run "no indication until the upload" never_indicates
run "NIC stalls and comes back" stalls :
run "NIC stalls and everything is uploaded" stalls_and_uploads
run "NIC dies" dies
run "NIC has died, nobody knows" dies_unnoticed
run "NIC dies while a program sends" dies_while_sending

finish
