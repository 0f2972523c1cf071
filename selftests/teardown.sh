#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The device, its lower device, the module or the owner goes away below many
# connections under traffic: none is lost, and nothing stays behind.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=selftests/module_lib.sh
. "$(dirname "$0")/module_lib.sh"
# shellcheck source=selftests/stream_lib.sh
. "$(dirname "$0")/stream_lib.sh"

conns=30
module=

# live [STREAM-OPTION...]: that many connections in the NIC, under traffic.
live() {
	stream_start -o -n "$conns" -b 20000 -B 65536 "$@"
	nic_has "$conns"
}

# busy: so many connections as well, and they come and go all the time.
busy() {
	stream_start -n "$conns" -b 20000 -B 65536 -k -g 500
	slowwait 20 offloaded 200
}

# addresses_at DEVICE: the host's addresses are now there.
addresses_at() {
	ip -n "$H" -batch - <<-EOC
		address replace 192.0.2.1/24 dev $1
		address replace 2001:db8::1/64 dev $1 nodad
		link set $1 up
	EOC
}

unload() {
	timeout 20 rmmod chimney
	[ ! -e /sys/module/chimney ]
	[ ! -e /sys/kernel/slab/nic_conn ]
}

module_removed() {
	topo_pair
	defer insmod "$module"
	live "$@"
	unload
	addresses_at veth0
	stream_stop
}

# Offloads and uploads are under way when the module is taken out.
module_removed_busy() {
	topo_pair
	defer insmod "$module"
	busy
	unload
	addresses_at veth0
	stream_stop
	at_least 100 cycles
}

offloaded() {
	[ "$(counter offloads)" -ge "$1" ]
}

device_deleted() {
	topo_pair
	live "$@"
	timeout 20 ip -n "$H" link delete chim0
	addresses_at veth0
	stream_stop
}

# The host looks its routes up again; that they are the same is no reason to
# leave the NIC [BLD-45].
routes_renewed() {
	local i

	topo_pair
	live "$@"
	for ((i = 0; i < 40; i++)); do
		inh ip route flush cache
		inh ip -6 route add 2001:db8:1::/64 dev chim0
		inh ip -6 route delete 2001:db8:1::/64 dev chim0
	done
	nic_has "$conns"
	is "$(counter uploads)" 0 uploads
	stream_stop
}

# The wire goes with it; there is another one later.
lower_deleted() {
	topo_pair
	live "$@"
	timeout 20 ip -n "$H" link delete veth0
	refused ip -n "$H" link show chim0
	ip link add veth0 netns "$H" type veth peer name veth1 netns "$P"
	ip -n "$P" -batch - <<-EOC
		link set veth1 up
		address add 192.0.2.2/24 dev veth1
		address add 2001:db8::2/64 dev veth1 nodad
	EOC
	addresses_at veth0
	stream_stop
}

# down_up DEVICE: nothing is offloaded until it is up again.
down_up() {
	topo_pair
	busy
	ip -n "$H" link set "$1" down
	nic_has 0
	refused inh chimney conn offload dst 192.0.2.2:5001 \
		src "192.0.2.1:$(port_of_one)"
	nic_has 0
	ip -n "$H" link set "$1" up
	slowwait 20 some_in_nic
	stream_stop
}

some_in_nic() {
	[ "$(in_nic)" -gt 0 ]
}

# Down and up, over and over, while connections come and go.
flapping() {
	local i

	topo_pair
	busy
	for ((i = 0; i < 20; i++)); do
		ip -n "$H" link set "$1" down
		ip -n "$H" link set "$1" up
		slowwait 20 some_in_nic
	done
	stream_stop
}

moved_away() {
	topo_pair
	setup_ns X
	live
	ip -n "$H" link set chim0 netns "$X"
	is "$(ip netns exec "$X" chimney -j conn show)" "[]" "in the NIC"
	ip -n "$X" link set chim0 netns "$H"
	addresses_at chim0
	stream_stop
}

upload_all() {
	topo_pair
	live
	inh chimney dev upload-all chim0
	nic_has 0
	is "$(counter uploads)" "$conns" uploads
	stream_stop
}

paused() {
	topo_pair
	live
	inh chimney dev pause chim0
	nic_has "$conns"
	inh chimney dev upload-all chim0
	refused -m paused inh chimney conn offload dst 192.0.2.2:5001 \
		src "192.0.2.1:$(port_of_one)"
	nic_has 0
	inh chimney dev resume chim0
	inh chimney conn offload dst 192.0.2.2:5001 \
		src "192.0.2.1:$(port_of_one)" > /dev/null
	nic_has 1
	stream_stop
}

port_of_one() {
	inh ss -Htn dst 192.0.2.2:5001 |
		sed -n '1s/.*192\.0\.2\.1:\([0-9]*\) .*/\1/p'
}

# Full: refused, and all the same nothing is lost.
limited() {
	topo_pair
	inh chimney dev set chim0 max-conns 10
	stream_start -n "$conns" -B 65536 -k -g 500
	slowwait 20 nic_has 10
	slowwait 20 refused_some
	between "$(in_nic)" 0 10 connections
	stream_stop
	at_least 1 refused
}

refused_some() {
	[ "$(counter refused)" -gt 20 ]
}

nic_empty() {
	nic_has 0
}

owner_killed() {
	topo_pair
	"$1"
	kill -9 "$stream_pid"
	wait "$stream_pid" || :
	slowwait 20 nic_empty
}

device_in() {
	ip -n "$1" link show "$2" 2> /dev/null
}

gone() {
	! device_in "$@"
}

# A namespace ends when its last socket is gone, and with it the wire.
namespace_ends() {
	topo_pair
	live
	ip netns delete "$H"
	kill -9 "$stream_pid"
	wait "$stream_pid" || :
	slowwait 20 gone "$P" veth1
}

# The wire, and so the device, goes with the peer's namespace.
peer_namespace_ends() {
	topo_pair
	live
	ip netns delete "$P"
	kill -9 "$stream_pid"
	wait "$stream_pid" || :
	slowwait 20 gone "$H" chim0
}

# killed SITUATION WANTED: as with a plain connection.
killed() {
	local plain nic

	topo_pair
	plain=$(inh "$(dirname "$0")/orphan" "$P" "$1")
	nic=$(inh "$(dirname "$0")/orphan" "$P" "$1" offload)
	is "$plain" "$2" "plain connection"
	is "$nic" "$2" "connection in the NIC"
	slowwait 20 nic_empty
}

# Objects of the cache that holds the NIC's connections; others may share it.
nic_objects() {
	echo 1 > /sys/kernel/slab/nic_conn/shrink
	sed 's/ .*//' /sys/kernel/slab/nic_conn/objects
}

few_objects() {
	[ "$(nic_objects)" -le "$1" ]
}

# Memory of TCP in all namespaces, in pages; a CPU may keep 256 of them aside.
tcp_pages() {
	awk '$1 == "TCP:" { print $NF }' /proc/net/sockstat
}

few_pages() {
	[ "$(tcp_pages)" -le "$1" ]
}

nothing_left() {
	local objects pages

	objects=$(nic_objects)
	pages=$(tcp_pages)
	topo_pair
	stream_start -o -n 100 -b 20000 -k -g 200
	slowwait 30 offloaded 1000
	stream_stop
	nic_has 0
	slowwait 20 few_objects $((objects + 10))
	slowwait 20 few_pages $((pages + 256 * $(nproc)))
}

module=$(module_file)

run "module removed, IPv4" module_removed
run "module removed, IPv6" module_removed -6
run "module removed while connections come and go" module_removed_busy
run "device deleted" device_deleted
run "lower device deleted" lower_deleted
run "device down and up" down_up chim0
run "lower device down and up" down_up veth0
run "device flapping" flapping chim0
run "lower device flapping" flapping veth0
run "device moved to another namespace" moved_away
run "all connections uploaded" upload_all
run "paused and resumed" paused
run "routes renewed, IPv4" routes_renewed
run "routes renewed, IPv6" routes_renewed -6
run "limit on connections" limited
run "owner killed" owner_killed live
run "owner killed while connections come and go" owner_killed busy
run "owner killed, idle" killed idle "end of file, all data"
run "owner killed, data not sent yet" killed unsent "end of file, all data"
run "owner killed, data not read yet" killed unread "ECONNRESET, all data"
run "namespace ends" namespace_ends
run "peer's namespace ends" peer_namespace_ends
run "nothing left behind" nothing_left

finish
