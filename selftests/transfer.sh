#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Bytes through the NIC, both ways at once, with all the variants of TCP that
# two ends can agree on.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=selftests/stream_lib.sh
. "$(dirname "$0")/stream_lib.sh"

# agreed: the flags of the connections in the NIC.
agreed() {
	inh chimney -j conn show |
		jq -r '[.[].const.flags | join(",")] | unique | join(" ")'
}

# transfer FLAGS [MTU]: the NIC has the connections all the while, and with
# these flags; both ends open some.
transfer() {
	local opt

	for opt in -4 -6 "-m -l"; do
		# shellcheck disable=SC2086
		stream_start $opt -o -n 2 -b 1000000
		nic_has 2
		is "$(agreed)" "$1" flags
		stream_stop
		at_least 4000000 bytes
	done
	is "$(counter offloads)" 6 offloads
	is "$(counter host_swallowed)" 0 host_swallowed
	[ "$(counter tx_segs)" -ge $((3 * 2000000 / ${2:-1500})) ]
}

# option NAME: one of TCP's, off in the host.
without() {
	topo_pair
	inh sysctl -q "net.ipv4.$1=0"
	transfer "$2"
}

segmentation() {
	local dev

	topo_pair
	inh ethtool -K chim0 gso "$1" tso "$1"
	for dev in veth0 chim0; do
		inh ethtool -K "$dev" gro "$1"
	done
	inh ethtool -K veth0 gso "$1" tso "$1"
	inp ethtool -K veth1 gso "$1" tso "$1" gro "$1"
	transfer timestamp,sack,window-scaling
}

mtu() {
	topo_veth
	ip -n "$H" link set veth0 mtu "$1"
	ip -n "$P" link set veth1 mtu "$1"
	ip -n "$H" link add link veth0 name chim0 type chimney
	topo_addresses chim0
	transfer timestamp,sack,window-scaling "$1"
}

small_buffers() {
	topo_pair
	stream -o -n 2 -b 300000 -B 4096
	stream -o -n 2 -b 300000 -B 4096 -6 -z h -z p
}

run "segmentation and aggregation on" segmentation on
run "segmentation and aggregation off" segmentation off
run "without timestamps" without tcp_timestamps sack,window-scaling
run "without SACK" without tcp_sack timestamp,window-scaling
run "without window scaling" without tcp_window_scaling timestamp,sack
run "MTU 1280" mtu 1280
run "MTU 9000" mtu 9000
run "small buffers" small_buffers

finish
