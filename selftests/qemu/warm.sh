#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A rehearsal, so that the first real test in virtual time finds in memory what
# every test uses.

. "$(dirname "$0")/../lib.sh"

warm_up() {
	topo_plain
	capture "$ktap_tmp/cap" "$P" veth1
	background inp socat -u tcp-listen:5000 /dev/null
	wait_port "$P" 5000
	inh socat -u /dev/null tcp:192.0.2.2:5000
	ip -j -n "$H" address | jq -r '.[0].ifname'
	capture_stop "$ktap_tmp/cap"
	tcpdump -r "$ktap_tmp/cap"
	inh ss -tnoie
	between 1.0 0 2
	refused test 1 = 2
}

run "warm-up" warm_up
finish
