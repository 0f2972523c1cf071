#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# shellcheck disable=SC2317	# tests are called by name
#
# The specification of the control interface is what the uAPI header says, what
# the running kernel says about its family, and what is in its messages.

. "$(dirname "$0")/lib.sh"

spec() {
	python3 -B "$(dirname "$0")/spec.py" "$@"
}

# messages_agree SERVER-OPTIONS ADDRESS
messages_agree() {
	topo_pair
	background inp socat -u "$1" OPEN:/dev/null
	wait_port "$P" 5001
	in_ns "$H" python3 -B "$(dirname "$0")/spec.py" replies "$2" 5001
}

plan 5
run "header agrees with specification" spec header
run "family agrees with specification" spec family
run "policies agree with specification" spec policy
run "IPv4: messages agree with specification" \
	messages_agree TCP4-LISTEN:5001 192.0.2.2
run "IPv6: messages agree with specification" \
	messages_agree TCP6-LISTEN:5001 2001:db8::2
finish
