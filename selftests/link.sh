#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The device as a network interface: what it can be stacked on, what it takes
# over from its lower device, what it lets pass, and how it goes away, with
# connections offloaded and without.

. "$(dirname "$0")/lib.sh"
# shellcheck source=selftests/module_lib.sh
. "$(dirname "$0")/module_lib.sh"

# attr NAMESPACE DEVICE FIELD: of "ip -j link".
attr() {
	ip -n "$1" -j -d -s link show dev "$2" | jq -r ".[0].$3"
}

attr_is() {
	[ "$(attr "$1" "$2" "$3")" = "$4" ]
}

# counter NAMESPACE DEVICE NAME: of "ethtool -S".
counter() {
	in_ns "$1" ethtool -S "$2" |
		awk -v n="$3:" '$1 == n { print $2; found = 1 }
				END { exit !found }'
}

device_gone() {
	! ip -n "$1" link show dev "$2" > /dev/null 2>&1
}

# pings NAMESPACE ADDRESS...: one echo request to each is answered.
pings() {
	local ns=$1 a
	shift

	for a; do
		in_ns "$ns" busybox ping -q -c 1 -W 5 "$a" > /dev/null || {
			echo "no answer from $a"
			return 1
		}
	done
}

# both_ways: IPv4 and IPv6, started from either side.
both_ways() {
	pings "$H" 192.0.2.2 2001:db8::2 && pings "$P" 192.0.2.1 2001:db8::1
}

# no_pings NAMESPACE ADDRESS
no_pings() {
	if in_ns "$1" busybox ping -q -c 1 -W 1 "$2"; then
		fail "answer from $2"
	fi
}

# shared: one topology for all tests that leave it as they find it.
shared() {
	topo_pair
	inh sysctl -qw net.ipv6.conf.all.keep_addr_on_down=1
	inp sysctl -qw net.ipv6.conf.all.keep_addr_on_down=1
}

# ---- creation -----------------------------------------------------------

creates() {
	topo_veth
	ip -n "$H" link add link veth0 type chimney
	is "$(attr "$H" chimney0 linkinfo.info_kind)" chimney kind
	is "$(attr "$H" chimney0 link)" veth0 "lower device"
	ip -n "$H" link add link veth0 name chim0 type chimney 2> /dev/null &&
		fail "two of them on one device"
	ip -n "$H" link set chimney0 name chim0
	ip -n "$H" link delete chim0
	ip -n "$H" link add link veth0 name chim0 up type chimney
}

refuses_no_lower() {
	setup_ns H
	refused -m "No lower device given" \
		ip -n "$H" link add name chim0 type chimney
}

refuses_absent_lower() {
	setup_ns H
	refused ip -n "$H" link add link nosuch name chim0 type chimney
}

refuses_loopback() {
	setup_ns H
	refused -m "Lower device is not Ethernet" \
		ip -n "$H" link add link lo name chim0 type chimney
}

refuses_tun() {
	setup_ns H
	[ -c /dev/net/tun ] || modprobe tun
	ip -n "$H" tuntap add tun0 mode tun
	refused -m "Lower device is not Ethernet" \
		ip -n "$H" link add link tun0 name chim0 type chimney
}

refuses_second() {
	refused -m "Lower device already has a chimney device" \
		ip -n "$H" link add link veth0 name chim1 type chimney
}

refuses_chimney() {
	refused -m "Lower device is a chimney device itself" \
		ip -n "$H" link add link chim0 name chim1 type chimney
}

refuses_bridge_port() {
	topo_veth
	ip -n "$H" link add br0 type bridge
	ip -n "$H" link set veth0 master br0
	refused -m "Lower device belongs to another device" \
		ip -n "$H" link add link veth0 name chim0 type chimney
}

refuses_to_share() {
	ip -n "$H" link add br0 type bridge
	defer ip -n "$H" link delete br0
	refused ip -n "$H" link set veth0 master br0
	refused ip -n "$H" link add link veth0 name mv0 type macvlan
	both_ways
}

refuses_address() {
	local mac

	topo_veth
	mac=$(attr "$H" veth0 address)
	refused -m "Address is the lower device's" ip -n "$H" link add \
		link veth0 name chim0 address 02:00:00:00:00:99 type chimney
	ip -n "$H" link add link veth0 name chim0 address "$mac" type chimney
	refused ip -n "$H" link set chim0 address 02:00:00:00:00:99
	is "$(attr "$H" chim0 address)" "$mac" address
}

refuses_mtu() {
	topo_veth
	refused -m "MTU exceeds the lower device's" \
		ip -n "$H" link add link veth0 name chim0 mtu 1501 type chimney
	ip -n "$H" link add link veth0 name chim0 mtu 1400 type chimney
	is "$(attr "$H" chim0 mtu)" 1400 MTU
}

# A refused device leaves nothing behind that stands in the way.
refusal_leaves_nothing() {
	topo_veth
	refused ip -n "$H" link add link veth0 name chim0 mtu 9000 type chimney
	refused ip -n "$H" link add link veth0 name lo type chimney
	ip -n "$H" link add link veth0 name chim0 type chimney
	topo_addresses chim0
	both_ways
}

# ---- what it takes over from its lower device ---------------------------

follows_address() {
	local mac=02:00:00:00:12:34

	topo_pair
	is "$(attr "$H" chim0 address)" "$(attr "$H" veth0 address)" address
	both_ways
	ip -n "$H" link set veth0 address "$mac"
	is "$(attr "$H" chim0 address)" "$mac" "address after a change"
	ip -n "$P" neighbour flush dev veth1
	both_ways
}

follows_mtu() {
	topo_pair
	is "$(attr "$H" chim0 mtu)" 1500 MTU
	ip -n "$H" link set veth0 mtu 9000
	is "$(attr "$H" chim0 mtu)" 9000 "MTU, lower device raised"
	ip -n "$H" link set veth0 mtu 1400
	is "$(attr "$H" chim0 mtu)" 1400 "MTU, lower device lowered"
	refused ip -n "$H" link set chim0 mtu 1401
	ip -n "$H" link set chim0 mtu 1300
	ip -n "$H" link set veth0 mtu 1500
	is "$(attr "$H" chim0 mtu)" 1300 "MTU of its own"
	ip -n "$H" link set veth0 mtu 1280
	is "$(attr "$H" chim0 mtu)" 1280 "MTU of its own, no longer possible"
}

follows_carrier() {
	topo_pair
	ip -n "$P" link set veth1 down
	busywait 5000 attr_is "$H" chim0 operstate LOWERLAYERDOWN
	ip -n "$P" link set veth1 up
	# The addresses of IPv6 went when the device went down.
	ip -n "$P" address replace 2001:db8::2/64 dev veth1 nodad
	busywait 5000 attr_is "$H" chim0 operstate UP
	is "$(in_ns "$H" ethtool chim0 | awk '/Link detected/ { print $3 }')" \
		yes "link of ethtool"
	slowwait 5 both_ways
}

follows_lower_down() {
	topo_pair
	ip -n "$H" link set veth0 down
	busywait 5000 attr_is "$H" chim0 operstate LOWERLAYERDOWN
	ip -n "$H" link set chim0 down
	ip -n "$H" link set chim0 up
	is "$(attr "$H" chim0 operstate)" LOWERLAYERDOWN \
		"state when opened on a device that is down"
	ip -n "$H" link set veth0 up
	busywait 5000 attr_is "$H" chim0 operstate UP
	ip -n "$H" address replace 2001:db8::1/64 dev chim0 nodad
	slowwait 5 both_ways
}

# Whether that is the lower device's doing Linux from 6.8 on takes from its
# carrier.
is_down() {
	attr_is "$H" chim0 operstate LOWERLAYERDOWN ||
		attr_is "$H" chim0 operstate DOWN
}

# A dummy device has a carrier even when it is down.
follows_dummy_down() {
	setup_ns H
	ip -n "$H" link add dum0 type dummy
	ip -n "$H" link add link dum0 name chim0 up type chimney
	busywait 5000 is_down
	ip -n "$H" link set dum0 up
	busywait 5000 attr_is "$H" chim0 'flags | any(. == "LOWER_UP")' true
	ip -n "$H" link set dum0 down
	busywait 5000 is_down
	is "$(attr "$H" chim0 'flags | any(. == "LOWER_UP")')" false carrier
}

lockless() {
	in_ns "$H" ethtool -k "$1" | awk '/tx-lockless/ { print $2 }'
}

has_no_queue() {
	is "$(attr "$H" chim0 qdisc)" noqueue qdisc
	# Linux from 6.12 on does not tell.
	is "$(lockless chim0)" "$(lockless lo)" "lockless as loopback is"
}

features_switch() {
	in_ns "$H" ethtool -K chim0 tso off gso off sg off
	in_ns "$H" ethtool -k chim0 | grep -q 'scatter-gather: off'
	both_ways
	in_ns "$H" ethtool -K chim0 sg on gso on tso on
	in_ns "$H" ethtool -k chim0 | grep -q 'tx-tcp-segmentation: on'
	in_ns "$H" ethtool -K veth0 tso off
	in_ns "$H" ethtool -k chim0 | grep -q 'tx-tcp-segmentation: on'
}

# ---- what it lets pass --------------------------------------------------

passes_arp() {
	ip -n "$P" neighbour flush dev veth1
	pings "$P" 192.0.2.1
	is "$(ip -n "$P" -j neighbour show 192.0.2.1 | jq -r '.[0].lladdr')" \
		"$(attr "$H" chim0 address)" "neighbour of the peer"
	is "$(ip -n "$H" -j neighbour show 192.0.2.2 |
	      jq -r '.[0] | .dev + " " + .lladdr')" \
		"chim0 $(attr "$P" veth1 address)" "neighbour of the host"
}

passes_nd() {
	ip -n "$P" neighbour flush dev veth1
	pings "$P" 2001:db8::1
	is "$(ip -n "$P" -j neighbour show 2001:db8::1 |
	      jq -r '.[0].lladdr')" \
		"$(attr "$H" chim0 address)" "neighbour of the peer"
	ip -n "$H" neighbour flush dev chim0
	pings "$H" 2001:db8::2
	is "$(ip -n "$H" -j neighbour show 2001:db8::2 |
	      jq -r '.[0] | .dev + " " + .lladdr')" \
		"chim0 $(attr "$P" veth1 address)" "neighbour of the host"
}

# datagram FROM TO ADDRESS: a line by UDP.
datagram() {
	local from=$1 to=$2 addr=$3 file

	file=$(mktemp -p "$ktap_tmp")
	background ip netns exec "$to" socat -u "UDP6-RECV:4000,ipv6only=0" \
		"OPEN:$file,append"
	wait_port "$to" 4000 u
	echo hello | in_ns "$from" socat -u - "UDP:$addr:4000"
	busywait 5000 grep -q hello "$file"
	kill_wait "$BG" || :
}

passes_udp() {
	datagram "$H" "$P" 192.0.2.2
	datagram "$P" "$H" 192.0.2.1
	datagram "$H" "$P" "[2001:db8::2]"
	datagram "$P" "$H" "[2001:db8::1]"
}

# stream FROM TO ADDRESS: a MiB of random bytes by TCP, compared.
stream() {
	local from=$1 to=$2 addr=$3 in out

	in=$(mktemp -p "$ktap_tmp")
	out=$(mktemp -p "$ktap_tmp")
	head -c 1M /dev/urandom > "$in"
	ip netns exec "$to" socat -u "TCP6-LISTEN:4001,ipv6only=0,reuseaddr" \
		"OPEN:$out,trunc" &
	BG=$!
	defer kill_wait "$BG"
	wait_port "$to" 4001
	in_ns "$from" socat -u "OPEN:$in" "TCP:$addr:4001"
	wait "$BG"
	cmp "$in" "$out"
	rm -f "$in" "$out"
}

passes_tcp() {
	stream "$H" "$P" 192.0.2.2
	stream "$P" "$H" 192.0.2.1
	stream "$H" "$P" "[2001:db8::2]"
	stream "$P" "$H" "[2001:db8::1]"
}

# Segmentation and checksums of the lower device off: done in software.
passes_tcp_plain_lower() {
	topo_pair
	in_ns "$H" ethtool -K veth0 tx off sg off tso off gso off
	in_ns "$P" ethtool -K veth1 tx off sg off tso off gso off
	stream "$H" "$P" 192.0.2.2
	stream "$P" "$H" "[2001:db8::1]"
}

passes_fragments() {
	in_ns "$H" busybox ping -q -c 1 -W 5 -s 8000 192.0.2.2
	in_ns "$P" busybox ping -q -c 1 -W 5 -s 8000 2001:db8::1
}

vlan_above() {
	ip -n "$H" link add link chim0 name v7 up type vlan id 7
	defer ip -n "$H" link delete v7
	ip -n "$P" link add link veth1 name v7 up type vlan id 7
	defer ip -n "$P" link delete v7
	ip -n "$H" address add 198.51.100.1/24 dev v7
	ip -n "$P" address add 198.51.100.2/24 dev v7
	pings "$H" 198.51.100.2
	pings "$P" 198.51.100.1
	stream "$H" "$P" 198.51.100.2
	stream "$P" "$H" 198.51.100.1
	both_ways
	ip -n "$H" link set veth0 address 02:00:00:00:07:07
	is "$(attr "$H" v7 address)" 02:00:00:00:07:07 "address of the VLAN"
}

vlan_stacked_above() {
	ip -n "$H" link add link chim0 name s7 up type vlan id 7 \
		protocol 802.1ad
	defer ip -n "$H" link delete s7
	ip -n "$H" link add link s7 name c8 up type vlan id 8
	ip -n "$P" link add link veth1 name s7 up type vlan id 7 \
		protocol 802.1ad
	defer ip -n "$P" link delete s7
	ip -n "$P" link add link s7 name c8 up type vlan id 8
	ip -n "$H" address add 198.51.100.1/24 dev c8
	ip -n "$P" address add 198.51.100.2/24 dev c8
	pings "$H" 198.51.100.2
	stream "$P" "$H" 198.51.100.1
}

vlan_below() {
	topo_veth
	ip -n "$H" link add link veth0 name v7 up type vlan id 7
	ip -n "$H" link add link v7 name chim0 up type chimney
	ip -n "$P" link add link veth1 name v7 up type vlan id 7
	ip -n "$H" address add 198.51.100.1/24 dev chim0
	ip -n "$P" address add 198.51.100.2/24 dev v7
	pings "$H" 198.51.100.2
	pings "$P" 198.51.100.1
	stream "$H" "$P" 198.51.100.2
	stream "$P" "$H" 198.51.100.1
	ip -n "$H" link delete v7
	device_gone "$H" chim0
}

vlan_beside() {
	ip -n "$H" link add link veth0 name v7 up type vlan id 7
	defer ip -n "$H" link delete v7
	ip -n "$P" link add link veth1 name v7 up type vlan id 7
	defer ip -n "$P" link delete v7
	ip -n "$H" address add 198.51.100.1/24 dev v7
	ip -n "$P" address add 198.51.100.2/24 dev v7
	pings "$H" 198.51.100.2
	pings "$P" 198.51.100.1
	both_ways
}

bridge_above() {
	topo_veth
	ip -n "$H" link add link veth0 name chim0 up type chimney
	ip -n "$H" link add br0 up type bridge
	ip -n "$H" link set chim0 master br0
	is "$(attr "$H" veth0 promiscuity)" 1 "promiscuity of the lower device"
	ip -n "$H" link add in0 up type veth peer name in1
	ip -n "$H" link set in0 master br0
	setup_ns GUEST
	ip -n "$H" link set in1 netns "$GUEST"
	ip -n "$GUEST" link set in1 up
	ip -n "$GUEST" address add 192.0.2.1/24 dev in1
	busywait 5000 link_runs "$GUEST" in1
	pings "$GUEST" 192.0.2.2
	pings "$P" 192.0.2.1
	ip -n "$H" link set chim0 nomaster
	is "$(attr "$H" veth0 promiscuity)" 0 "promiscuity afterwards"
}

macvlan_above() {
	ip -n "$H" link add link chim0 name mv0 up type macvlan mode bridge
	defer ip -n "$H" link delete mv0
	ip -n "$H" address add 192.0.2.3/24 dev mv0
	pings "$P" 192.0.2.3
	both_ways
	in_ns "$H" bridge fdb show dev veth0 |
		grep -q "$(attr "$H" mv0 address)"
}

has_maddr() {
	ip -n "$1" maddress show dev "$2" | grep -q "$3"
}

multicast_reaches_lower() {
	ip -n "$H" maddress add 01:00:5e:01:02:03 dev chim0
	has_maddr "$H" veth0 01:00:5e:01:02:03
	ip -n "$H" link set chim0 down
	refused has_maddr "$H" veth0 01:00:5e:01:02:03
	ip -n "$H" link set chim0 up
	has_maddr "$H" veth0 01:00:5e:01:02:03
	ip -n "$H" maddress delete 01:00:5e:01:02:03 dev chim0
	refused has_maddr "$H" veth0 01:00:5e:01:02:03
}

promisc_reaches_lower() {
	ip -n "$H" link set chim0 promisc on allmulticast on
	is "$(attr "$H" veth0 promiscuity)" 1 promiscuity
	is "$(attr "$H" veth0 allmulti)" 1 allmulti
	ip -n "$H" link set chim0 down
	is "$(attr "$H" veth0 promiscuity)" 0 "promiscuity, down"
	is "$(attr "$H" veth0 allmulti)" 0 "allmulti, down"
	ip -n "$H" link set chim0 up
	is "$(attr "$H" veth0 promiscuity)" 1 "promiscuity, up again"
	ip -n "$H" link set chim0 promisc off allmulticast off
	is "$(attr "$H" veth0 promiscuity)" 0 "promiscuity, off"
	is "$(attr "$H" veth0 allmulti)" 0 "allmulti, off"
}

# While it is down, the lower device works as if it were not there.
lower_works_while_down() {
	topo_plain
	both_ways
	ip -n "$H" link add link veth0 name chim0 type chimney
	both_ways
	ip -n "$H" link set chim0 up
	ip -n "$H" link set chim0 down
	both_ways
}

nothing_moves_while_down() {
	local before

	both_ways
	ip -n "$H" link set chim0 down
	before=$(attr "$H" chim0 'stats64 | [.rx.packets, .tx.packets]')
	no_pings "$P" 192.0.2.77
	no_pings "$P" 192.0.2.1
	is "$(attr "$H" chim0 'stats64 | [.rx.packets, .tx.packets]')" \
		"$before" counters
	ip -n "$H" link set chim0 up
	slowwait 5 both_ways
}

# ---- counters -----------------------------------------------------------

counts() {
	local rx tx bytes multi

	rx=$(attr "$H" chim0 stats64.rx.packets)
	tx=$(attr "$H" chim0 stats64.tx.packets)
	bytes=$(attr "$H" chim0 stats64.rx.bytes)
	multi=$(attr "$H" chim0 stats64.rx.multicast)
	in_ns "$P" busybox ping -q -c 10 -i 0.1 -W 5 192.0.2.1
	between "$(attr "$H" chim0 stats64.rx.packets)" \
		$((rx + 10)) $((rx + 30)) "packets received"
	between "$(attr "$H" chim0 stats64.tx.packets)" \
		$((tx + 10)) $((tx + 30)) "packets sent"
	between "$(attr "$H" chim0 stats64.rx.bytes)" \
		$((bytes + 980)) $((bytes + 10000)) "bytes received"
	ip -n "$P" neighbour flush dev veth1
	pings "$P" 2001:db8::1
	between "$(attr "$H" chim0 stats64.rx.multicast)" \
		$((multi + 1)) $((multi + 20)) "multicast received"
}

counters_survive_down() {
	local before

	both_ways
	ip -n "$H" link set chim0 down
	before=$(attr "$H" chim0 stats64.tx.packets)
	[ "$before" -ge 4 ]
	ip -n "$H" link set chim0 up
	between "$(attr "$H" chim0 stats64.tx.packets)" \
		"$before" $((before + 100)) "packets sent, up again"
}

ethtool_info() {
	local info names

	info=$(in_ns "$H" ethtool -i chim0)
	is "$(sed -n 's/^driver: //p' <<< "$info")" chimney driver
	is "$(sed -n 's/^bus-info: //p' <<< "$info")" veth0 "bus"
	is "$(in_ns "$H" ethtool chim0 | grep Speed)" \
		"$(in_ns "$H" ethtool veth0 | grep Speed)" "speed"
	names=$(in_ns "$H" ethtool -S chim0 | sed -n 's/^ *\([^:]*\): .*/\1/p')
	[ "$(grep -c . <<< "$names")" -ge 17 ]
	if grep -v '^[a-z][a-z0-9_]*$' <<< "$names"; then
		fail "counter names"
	fi
	is "$(sort <<< "$names" | uniq -d)" "" "counters named twice"
	is "$(counter "$H" chim0 offloads)" 0 "connections offloaded"
}

# ---- how it goes away ---------------------------------------------------

deletes() {
	topo_pair
	both_ways
	ip -n "$H" link set chim0 promisc on
	ip -n "$H" link delete chim0
	is "$(attr "$H" veth0 promiscuity)" 0 "promiscuity, deleted"
	topo_addresses veth0
	both_ways
	ip -n "$H" address flush dev veth0
	ip -n "$H" link add link veth0 name chim0 type chimney
	topo_addresses chim0
	both_ways
}

lower_deleted() {
	topo_pair
	ip -n "$H" link add link chim0 name v7 up type vlan id 7
	ip -n "$H" link delete veth0
	device_gone "$H" chim0
	device_gone "$H" v7
}

peer_of_lower_deleted() {
	topo_pair
	ip -n "$P" link delete veth1
	device_gone "$H" chim0
}

# Both ends of the wire carry a chimney and go in one sweep.
both_ends_deleted() {
	setup_ns H
	ip -n "$H" link add veth0 up type veth peer name veth1
	ip -n "$H" link set veth1 up
	ip -n "$H" link add link veth0 name chim0 up type chimney
	ip -n "$H" link add link veth1 name chim1 up type chimney
	ip -n "$H" link delete veth0
	device_gone "$H" chim0
	device_gone "$H" chim1
}

moves() {
	topo_pair
	setup_ns OTHER
	both_ways
	ip -n "$H" link set chim0 netns "$OTHER"
	device_gone "$H" chim0
	ip -n "$OTHER" link set chim0 up
	is "$(attr "$OTHER" chim0 'link_netnsid | type')" number "link netns"
	ip -n "$OTHER" address add 192.0.2.1/24 dev chim0
	ip -n "$OTHER" address add 2001:db8::1/64 dev chim0 nodad
	pings "$OTHER" 192.0.2.2 2001:db8::2
	pings "$P" 192.0.2.1 2001:db8::1
	ip -n "$H" link set veth0 mtu 1300
	is "$(attr "$OTHER" chim0 mtu)" 1300 "MTU across namespaces"
	ip -n "$H" link delete veth0
	device_gone "$OTHER" chim0
}

lower_moves() {
	topo_pair
	setup_ns OTHER
	ip -n "$H" link set veth0 netns "$OTHER"
	busywait 5000 attr_is "$H" chim0 operstate LOWERLAYERDOWN ||
		attr_is "$H" chim0 operstate DOWN
	ip -n "$OTHER" link set veth0 up
	busywait 5000 link_runs "$H" chim0
	slowwait 5 both_ways
}

created_elsewhere() {
	topo_veth
	setup_ns OTHER
	ip -n "$H" link add link veth0 name chim0 netns "$OTHER" type chimney
	ip -n "$OTHER" link set chim0 up
	ip -n "$OTHER" address add 192.0.2.1/24 dev chim0
	pings "$OTHER" 192.0.2.2
}

netns_deleted() {
	topo_pair
	setup_ns OTHER
	ip -n "$H" link set chim0 netns "$OTHER"
	ip -n "$OTHER" link set chim0 up
	ip netns delete "$OTHER"
	# The lower device is free again.
	busywait 10000 ip -n "$H" link add link veth0 name chim1 type chimney
	topo_addresses chim1
	both_ways
}

lower_netns_deleted() {
	topo_pair
	setup_ns OTHER
	ip -n "$H" link set chim0 netns "$OTHER"
	ip -n "$OTHER" link set chim0 up
	ip netns delete "$H"
	busywait 10000 device_gone "$OTHER" chim0
}

netns_of_both_deleted() {
	topo_pair
	ip -n "$H" link add link chim0 name v7 up type vlan id 7
	ip netns delete "$H"
	busywait 10000 device_gone "$P" veth1
}

# Created, opened, closed and deleted again under a load of packets.
churn() {
	local i

	topo_plain
	background ip netns exec "$P" busybox ping -q -i 0.01 192.0.2.1
	background ip netns exec "$H" busybox ping -q -i 0.01 192.0.2.2
	for ((i = 0; i < 10; i++)); do
		ip -n "$H" link add link veth0 name chim0 type chimney
		ip -n "$H" link set chim0 up
		ip -n "$H" link set veth0 down
		ip -n "$H" link set veth0 up
		[ $((i % 2)) -eq 0 ] || ip -n "$H" link set chim0 down
		ip -n "$H" link delete chim0
	done
	slowwait 10 pings "$H" 192.0.2.2
}

# ---- what becomes of offloaded connections ------------------------------

# talk [ADDRESS]: an offloaded connection from the host to an echo server at
# the peer.
talk() {
	local addr=${1:-192.0.2.2}

	background ip netns exec "$P" socat \
		TCP6-LISTEN:4002,ipv6only=0,reuseaddr EXEC:cat
	wait_port "$P" 4002
	coproc TALK { exec ip netns exec "$H" socat - "TCP:$addr:4002"; }
	defer kill_wait "$TALK_PID"
	echoes before
	chimney -n "$H" conn offload dst "$addr:4002" > /dev/null
	is "$(chimney -n "$H" -j conn show | jq length)" 1 "connections"
	echoes offloaded
}

# echoes WORD: the word comes back.
echoes() {
	local line

	echo "$1" >& "${TALK[1]}"
	read -r -t 20 -u "${TALK[0]}" line || {
		echo "no echo of '$1'"
		return 1
	}
	is "$line" "$1" echo
}

# uploaded [NAMESPACE]: nothing is left in a NIC, the socket lives.
uploaded() {
	is "$(chimney -n "${1:-$H}" -j conn show | jq length)" 0 "connections"
	in_ns "$H" ss -Htn state established dport = 4002 | grep -q 4002
}

down_uploads() {
	topo_pair
	talk
	ip -n "$H" link set chim0 down
	uploaded
	is "$(counter "$H" chim0 uploads)" 1 "connections uploaded"
	refused chimney -n "$H" conn offload dst 192.0.2.2:4002
	ip -n "$H" link set chim0 up
	echoes again
	chimney -n "$H" conn offload dst 192.0.2.2:4002 > /dev/null
	echoes once-more
}

lower_down_uploads() {
	topo_pair
	talk
	ip -n "$H" link set veth0 down
	uploaded
	refused chimney -n "$H" conn offload dst 192.0.2.2:4002
	ip -n "$H" link set veth0 up
	echoes again
	chimney -n "$H" conn offload dst 192.0.2.2:4002 > /dev/null
	echoes once-more
}

delete_uploads() {
	topo_pair
	talk
	ip -n "$H" link delete chim0
	in_ns "$H" ss -Htn state established dport = 4002 | grep -q 4002
	topo_addresses veth0
	echoes again
}

lower_delete_uploads() {
	topo_pair
	talk
	ip -n "$H" link delete veth0
	device_gone "$H" chim0
	uploaded
}

move_uploads() {
	topo_pair
	setup_ns OTHER
	talk
	ip -n "$H" link set chim0 netns "$OTHER"
	uploaded
	uploaded "$OTHER"
	ip -n "$OTHER" link set chim0 netns "$H"
	topo_addresses chim0
	echoes again
}

lower_move_uploads() {
	topo_pair
	setup_ns OTHER
	talk
	ip -n "$H" link set veth0 netns "$OTHER"
	uploaded
	ip -n "$OTHER" link set veth0 up
	echoes again
}

listens() {
	chimney -n "$H" dev set chim0 ack-frequency 2
	[ -s "$1" ]
}

# watch: listen for what becomes of connections.
watch() {
	events=$ktap_tmp/events
	background chimney -n "$H" -j monitor > "$events"
	busywait 10000 listens "$events"
}

# left_for REASON: the only connection has left the NIC.
left_for() {
	busywait 10000 grep -q '"event":"terminate"' "$events"
	is "$(jq -r 'select(.event == "terminate") | .conn.reason' \
		"$events")" "$1" reason
	uploaded
}

# Segments go first to another address of the peer's: one beyond the route, or
# what is encapsulated would be so again.
encapsulation_uploads() {
	local encap=(encap seg6 mode inline segs 2001:db8::3)
	local events peer='[2001:db8::2]:4002'

	topo_pair
	ip -n "$P" address add 2001:db8::3/128 dev veth1 nodad
	inp sysctl -qw net.ipv6.conf.all.seg6_enabled=1 \
		net.ipv6.conf.veth1.seg6_enabled=1
	ip -n "$H" -6 route add 2001:db8::2 dev chim0
	talk '[2001:db8::2]'
	watch
	ip -n "$H" -6 route replace 2001:db8::2 "${encap[@]}" dev chim0
	echoes replaced
	left_for route
	echoes encapsulated
	refused -m "the route encapsulates packets" \
		chimney -n "$H" conn offload dst "$peer"
	ip -n "$H" -6 route replace 2001:db8::2 dev chim0
	echoes again
	chimney -n "$H" conn offload dst "$peer" > /dev/null
	echoes once-more
}

# second_wire DEVICE: another way to the peer, without addresses, from veth2
# with chim1 on it. One of them knows where the peer is.
second_wire() {
	local mac

	ip link add veth2 netns "$H" type veth peer name veth3 netns "$P"
	ip -n "$P" link set veth3 up
	ip -n "$H" link set veth2 up
	ip -n "$H" link add link veth2 name chim1 up type chimney
	mac=$(attr "$P" veth3 address)
	ip -n "$H" -batch - <<-EOF
		neighbour add 192.0.2.2 lladdr $mac dev $1 nud permanent
		neighbour add 2001:db8::2 lladdr $mac dev $1 nud permanent
	EOF
	busywait 5000 link_runs "$H" "$1"
}

# A route by way of another device, also if that is a chimney as well.
detour_uploads() {
	local dev=$1 addr=$2 events

	topo_pair
	second_wire "$dev"
	talk "$addr"
	watch
	addr=${addr//[][]/}
	ip -n "$H" route replace "$addr" dev "$dev"
	echoes replaced
	left_for route
	echoes by-the-other
	ip -n "$H" route delete "$addr" dev "$dev"
	echoes again
	chimney -n "$H" conn offload dst "$addr" > /dev/null
	echoes once-more
}

# What becomes of one device is nothing to the connections of another.
others_stay() {
	topo_pair
	second_wire chim1
	talk
	chimney -n "$H" dev upload-all chim1
	ip -n "$H" link set chim1 down
	ip -n "$H" link delete chim1
	is "$(counter "$H" chim0 uploads)" 0 "connections uploaded"
	echoes still
	chimney -n "$H" dev upload-all chim0
	uploaded
	echoes again
}

# No connection of the peer's ends when its namespace goes first.
killed_with_namespace() {
	topo_pair
	talk
	kill_wait "$TALK_PID" || :
	ip netns delete "$H"
	busywait 10000 device_gone "$P" veth1
}

# ---- the module ---------------------------------------------------------

module_unloads() {
	local module

	module=$(module_file)
	[ -f "$module" ] || fail "which module?"
	topo_pair
	talk
	ip -n "$H" link add link chim0 name v7 up type vlan id 7
	defer insmod "$module"
	rmmod chimney
	device_gone "$H" chim0
	device_gone "$H" v7
	refused ip -n "$H" link add link veth0 name chim0 type chimney
	topo_addresses veth0
	both_ways
	echoes again
	ip -n "$H" address flush dev veth0
	insmod "$module"
	ip -n "$H" link add link veth0 name chim0 type chimney
	topo_addresses chim0
	both_ways
}

shared

run "creates a device" creates
run "refuses no lower device" refuses_no_lower
run "refuses a lower device that is not there" refuses_absent_lower
run "refuses loopback" refuses_loopback
run "refuses a device that is not Ethernet" refuses_tun
run "refuses a second one on the same lower device" refuses_second
run "refuses a chimney device as lower device" refuses_chimney
run "refuses a bridge port" refuses_bridge_port
run "has its lower device for itself" refuses_to_share
run "refuses an address of its own" refuses_address
run "refuses an MTU above that of the lower device" refuses_mtu
run "a refusal leaves nothing behind" refusal_leaves_nothing

run "address follows the lower device" follows_address
run "MTU follows the lower device" follows_mtu
run "carrier follows the lower device" follows_carrier
run "lower device down and up" follows_lower_down
run "lower device down that has a carrier" follows_dummy_down
run "has no queue and no lock" has_no_queue
run "features can be switched" features_switch

run "ARP passes" passes_arp
run "neighbour discovery passes" passes_nd
run "UDP passes" passes_udp
run "TCP passes" passes_tcp
run "TCP passes when the lower device can do nothing" passes_tcp_plain_lower
run "fragments pass" passes_fragments
run "VLAN above" vlan_above
run "two VLANs above" vlan_stacked_above
run "VLAN below" vlan_below
run "VLAN beside" vlan_beside
run "bridge above" bridge_above
run "macvlan above" macvlan_above
run "multicast addresses reach the lower device" multicast_reaches_lower
run "promiscuity reaches the lower device" promisc_reaches_lower
run "lower device works while it is down" lower_works_while_down
run "nothing moves while it is down" nothing_moves_while_down

run "counts" counts
run "counters survive down and up" counters_survive_down
run "ethtool" ethtool_info

run "deletes and creates again" deletes
run "lower device deleted" lower_deleted
run "peer of the lower device deleted" peer_of_lower_deleted
run "both ends of a wire deleted" both_ends_deleted
run "moves to another namespace" moves
run "lower device moves to another namespace" lower_moves
run "created in another namespace" created_elsewhere
run "its namespace deleted" netns_deleted
run "namespace of the lower device deleted" lower_netns_deleted
run "namespace of both deleted" netns_of_both_deleted
run "churn under load" churn

run "going down uploads" down_uploads
run "lower device going down uploads" lower_down_uploads
run "being deleted uploads" delete_uploads
run "lower device being deleted uploads" lower_delete_uploads
run "moving to another namespace uploads" move_uploads
run "lower device moving to another namespace uploads" lower_move_uploads
run "a route that encapsulates uploads" encapsulation_uploads
run "a route by way of another chimney uploads, IPv4" \
	detour_uploads chim1 192.0.2.2
run "a route by way of another chimney uploads, IPv6" \
	detour_uploads chim1 '[2001:db8::2]'
run "a route by way of no chimney uploads" detour_uploads veth2 192.0.2.2
run "another device's connections stay" others_stay
run "namespace deleted right after the connection" killed_with_namespace

run "module unloads with a connection offloaded" module_unloads
finish
