#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The chimney command with a device: what it prints, that its JSON is JSON,
# its exit codes, and that manual page, help and completion agree.  What needs
# no device is in cli_args.c.

. "$(dirname "$0")/lib.sh"

tool_dir=$(realpath "$(dirname "$0")/../tools/chimney")

# In the namespace with the device.
c() {
	chimney -n "$H" "$@"
}

# json FILTER WORD...: what a filter makes of the command's JSON.
json() {
	local filter=$1
	shift

	# Nothing at all satisfies jq.
	c -j "$@" | jq -ec "$filter" | grep .
}

# exits CODE TEXT COMMAND...: with that code, and saying that.
exits() {
	local code=$1 text=$2 rc=0 out
	shift 2

	out=$("$@" 2>&1) || rc=$?
	is "$rc" "$code" "exit code of $* ($out)"
	[[ $out == *"$text"* ]] || fail "'$out' without '$text': $*"
}

# connect ADDRESS PORT: a connection from $H; $PID holds it as descriptor 5.
connect() {
	local ready=$ktap_tmp/ready.$2

	rm -f "$ready"
	# shellcheck disable=SC2016	# for the inner shell
	ip netns exec "$H" bash -c 'exec 5<> "/dev/tcp/$1/$2"; : > "$3"
		exec tail -f /dev/null' - "$1" "$2" "$ready" &
	PID=$!
	defer kill_wait "$PID"
	busywait 10000 test -e "$ready"
}

serve() {
	background inp socat "TCP6-LISTEN:$1,fork,reuseaddr,ipv6only=0" PIPE
	wait_port "$P" "$1"
}

nothing_open() {
	[ "$(c -j conn)" = "[]" ] &&
		[ -z "$(inh ss -Hnt state established)" ]
}

# fresh [ADDRESS]: the only connection there is.
fresh() {
	busywait 10000 nothing_open
	connect "${1:-192.0.2.2}" 8000
}

# ---- devices ------------------------------------------------------------

shows_devices() {
	is "$(c dev)" \
		"chim0: lower veth0 hz 1000 max-conns 65536 conns 0 paused no"
	is "$(c dev show chim0)" "$(c dev)"
	c -d dev | grep -q '^    ack-frequency 2 delayed-ack 40ms'
	c -s dev | grep -q '^    offloads 0 uploads 0 refused 0$'
	is "$(json '.[0] | [.ifname, .lower, .hz, .paused, .offloads]' dev)" \
		'["chim0","veth0",1000,false,0]'
	json '.[0].ifindex > 0 and .[0].lower_ifindex > 0' dev show chim0
	is "$(c -jp dev | jq -c .)" "$(c -j dev)" "pretty JSON"
}

shows_nothing() {
	setup_ns H
	is "$(c dev)" "" devices
	is "$(c -j dev)" "[]" "list of devices"
	is "$(c -jp dev)" "[]" "pretty list of devices"
	is "$(c conn)" "" connections
	is "$(c -j conn)" "[]" "list of connections"
	is "$(c -j conn show dst 192.0.2.2)" "[]" "filtered list"
}

reset_device() {
	c dev set chim0 hz 1000 max-conns 65536 delayed-ack 40ms \
		ack-frequency 2 max-retransmissions 15 dupack-threshold 3 \
		fin-wait2 0s
}

sets_devices() {
	defer reset_device
	is "$(c dev set chim0 hz 100 max-conns 7 delayed-ack 15ms)" ""
	c dev set chim0 ack-frequency 3 max-retransmissions 5 \
		dupack-threshold 4 fin-wait2 1m
	is "$(json '.[0] | [.hz, .max_conns, .delayed_ack, .ack_frequency,
		.max_retransmissions, .dupack_threshold, .fin_wait2]' dev)" \
		'[100,7,2,3,5,4,6000]'
	c -d dev | grep -q 'delayed-ack 20ms'
	c -d dev | grep -q 'fin-wait2 60s'
}

refuses_devices() {
	exits 1 "(attribute hz)" c dev set chim0 hz 33
	exits 1 "hz must be 10, 100 or 1000" c dev set chim0 hz 33
	exits 1 "(attribute delayed-ack)" c dev set chim0 delayed-ack 500ms
	exits 1 "(attribute ifindex)" c dev show veth0
	exits 1 "(attribute ifindex)" c dev pause lo
	exits 1 "there is no device" c dev pause nosuch
	exits 1 "No such file" chimney -n nosuch dev
	is "$(json '.[0].hz' dev)" 1000
}

pauses_devices() {
	fresh
	defer c dev resume chim0
	c dev pause chim0
	json '.[0].paused' dev
	c dev | grep -q 'paused yes'
	exits 1 "" c conn offload dst 192.0.2.2
	c dev resume chim0
	c dev | grep -q 'paused no'
	c conn offload dst 192.0.2.2
	c dev upload-all chim0
	is "$(c -j conn)" "[]" "connections after upload-all"
	c -s dev | grep -q '^    offloads 1 uploads 1 refused'
}

# ---- connections --------------------------------------------------------

offloads_by_addresses() {
	local port

	fresh
	c conn offload dst 192.0.2.2:8000 keepalive on idle 340s probes 3 \
		interval 1.5s > "$ktap_tmp/text"
	cat "$ktap_tmp/text"
	head -n 1 "$ktap_tmp/text" | grep -Eq \
		'^[0-9]+: .* chim0 192\.0\.2\.1:[0-9]+ -> 192\.0\.2\.2:8000 est'
	grep -q ' ka-timeout 340s' "$ktap_tmp/text"
	grep -q '^    delegated state established' "$ktap_tmp/text"
	port=$(json '.[0].const.local_port' conn)
	is "$(json '.[0].cached | [.ka_timeout, .ka_interval,
		.ka_probe_count, .flags]' conn)" \
		'[340000,1500,3,["keep-alive","nagling"]]'
	c conn terminate src "192.0.2.1:$port" dst 192.0.2.2:8000
	c conn offload src "192.0.2.1:$port" dst 192.0.2.2:8000
	c conn show | grep -Eq ' nic .* keepalive in 3[0-9.]+s \(probes 0/3\)$'
}

offloads_ipv6() {
	fresh 2001:db8::2
	c conn offload dst '[2001:db8::2]:8000' flowlabel 0x12345 > /dev/null
	is "$(json '.[0] | [.const.family, .const.remote_address,
		.cached.flow_label]' conn)" '["inet6","2001:db8::2",74565]'
	c conn | grep -q ' \[2001:db8::1\]:[0-9]* -> \[2001:db8::2\]:8000 '
	c conn terminate dst 2001:db8::2
}

offloads_by_descriptor() {
	fresh
	exits 1 "descriptor 9 of process" c conn offload pid "$PID" fd 9
	exits 1 "(attribute fd)" c conn offload pid "$PID" fd 1
	c conn offload pid "$PID" fd 5
	c conn show pid "$PID" fd 5 | grep -q ' nic '
	c conn update pid "$PID" fd 5 ttl 33 | grep -q 'ttl-or-hop-limit 33'
	c conn terminate pid "$PID" fd 5
	is "$(c -j conn)" "[]"
}

# keys SECTION: the names in it.
keys() {
	jq -r ".[0].$1 | keys | join(\" \")" "$ktap_tmp/json"
}

json_names() {
	local -a want

	fresh
	c -j conn offload dst 192.0.2.2 > "$ktap_tmp/json"
	is "$(jq length "$ktap_tmp/json")" 1
	want=(family flags hash_value local_address local_port rcv_wind_scale
		remote_address remote_mss remote_port snd_wind_scale)
	is "$(keys const)" "${want[*]}" const
	want=(flags initial_rcv_wnd ka_interval ka_probe_count ka_timeout
		max_rt rcv_indication_size tos_or_traffic_class
		ttl_or_hop_limit user_priority)
	is "$(keys cached)" "${want[*]}" cached
	want=(buffered_data cwnd dup_ack_count dwnd flags keepalive max_snd_wnd
		rcv_nxt rcv_wnd receive_backlog_size retransmit rtt_var
		send_backlog_size send_data send_wl1 snd_max snd_nxt snd_una
		snd_wnd snd_wnd_probe_count srtt ss_thresh state total_rt
		ts_recent ts_recent_age ts_time)
	is "$(keys delegated)" "${want[*]}" delegated
	is "$(jq -c '.[0].delegated.keepalive' "$ktap_tmp/json")" \
		'{"probe_count":0,"timeout_delta":-1}'
	is "$(jq -c '.[0].delegated.retransmit' "$ktap_tmp/json")" \
		'{"count":0,"timeout_delta":-1}'
	is "$(jq -c '.[0].delegated.send_backlog_size' "$ktap_tmp/json")" -1
	json '.[0].stats.segs_in >= 0' conn
	json '.[0].inode > 0 and .[0].uid == 0' conn
}

updates() {
	local id

	fresh
	id=$(json '.[0].id' conn offload dst 192.0.2.2)
	c conn update "$id" keepalive on idle 2h probes 4 max-rt unlimited \
		nagle off tos 0x10 priority 5 indication 4096 |
		grep -Eq '^[0-9]+: nic .* keepalive in 7[0-9.]+s \(probes 0/4\)'
	is "$(json '.[0].cached | [.flags, .ka_timeout, .ka_probe_count,
		.max_rt, .tos_or_traffic_class, .user_priority,
		.rcv_indication_size]' conn show "$id")" \
		'[["keep-alive"],7200000,4,-1,16,5,4096]'
	c conn update "$id" max-rt default | grep -q 'max-rt default'
	c conn update "$id" max-rt 90s | grep -q 'max-rt 90s'
	c conn update "$id" keepalive off | grep -q 'keepalive off'
	# Times follow the device's ticks.
	defer reset_device
	c dev set chim0 hz 10
	is "$(json '.[0].cached.ka_timeout' conn update "$id" idle 10.01s)" 101
	c conn update dst 192.0.2.2 keepalive on keepalive-restart |
		grep -q 'keepalive in 10.1s'
}

refuses_connections() {
	local id

	fresh
	id=$(json '.[0].id' conn offload dst 192.0.2.2)
	exits 1 "(attribute id)" c conn show $((id + 1))
	exits 1 "(attribute id)" c conn terminate $((id + 1))
	exits 1 "(attribute ttl-or-hop-limit)" c conn update "$id" ttl 0
	exits 1 "(attribute flow-label)" c conn update "$id" flowlabel 1
	exits 1 "nothing to change" c conn update "$id"
	exits 1 "no connection of the device fits" \
		c conn update dst 192.0.2.99 ttl 9
	exits 1 "no established connection fits" c conn offload dst 192.0.2.99
	exits 1 "(attribute const)" c conn offload src 192.0.2.1:9 \
		dst 192.0.2.2:9
	exits 2 "Usage: chimney conn" c conn update "$id" ttl
	exits 1 "" c conn offload pid "$PID" fd 5
	c -j conn terminate "$id" > /dev/null
	exits 1 "(attribute id)" c conn terminate "$id"
}

refuses_ambiguity() {
	fresh
	connect 192.0.2.2 8000
	exits 1 "more than one established" c conn offload dst 192.0.2.2
	exits 1 "  192.0.2.1:" c conn offload dst 192.0.2.2
	is "$(c -j conn)" "[]"
	c conn offload pid "$PID" fd 5 > /dev/null
	c conn show dst 192.0.2.2:8000 | grep -q ' nic '
}

keeps_namespaces_apart() {
	fresh
	c conn offload dst 192.0.2.2 > /dev/null
	is "$(chimney -n "$P" -j conn)" "[]"
	is "$(chimney -n "$P" -j dev)" "[]"
	exits 1 "another network namespace" \
		chimney -n "$P" conn offload pid "$PID" fd 5
}

unprivileged() {
	local -a nobody

	fresh
	nobody=(ip netns exec "$H" setpriv --reuid=65534 --clear-groups chimney)
	c conn offload dst 192.0.2.2 > /dev/null
	"${nobody[@]}" dev show chim0
	"${nobody[@]}" -j conn | jq -e '.[0].delegated |
		.state == "established" and (has("rcv_nxt") | not)' |
		grep -q true
	exits 1 "Operation not permitted" "${nobody[@]}" dev pause chim0
	exits 1 "Operation not permitted" "${nobody[@]}" \
		conn terminate dst 192.0.2.2
	exits 1 "" "${nobody[@]}" conn offload pid "$PID" fd 5
}

# ---- events -------------------------------------------------------------

listens() {
	c dev set chim0 ack-frequency 2
	[ -s "$1" ]
}

monitor() {
	local text=$ktap_tmp/text.events json=$ktap_tmp/json.events

	fresh
	background chimney -n "$H" monitor > "$text"
	background chimney -n "$H" -j monitor > "$json"
	busywait 10000 listens "$text"
	busywait 10000 listens "$json"
	c conn offload dst 192.0.2.2 > /dev/null
	c conn update dst 192.0.2.2 keepalive on idle 10s > /dev/null
	c conn terminate dst 192.0.2.2 > /dev/null
	defer c dev resume chim0
	c dev pause chim0
	busywait 5000 grep -q 'paused yes' "$text"
	busywait 5000 grep -q '"paused":true' "$json"
	cat "$text"
	grep -q '^dev chim0: ' "$text"
	is "$(awk '{ print $1 }' "$text" | uniq | paste -sd ' ')" \
		"dev offload update terminate dev"
	grep -Eq '^update [0-9]+: nic chim0 .* keepalive in' "$text"
	is "$(jq -r .event "$json" | uniq | paste -sd ' ')" \
		"dev offload update terminate dev"
	is "$(wc -l < "$json")" "$(jq -c . "$json" | wc -l)" "objects on lines"
	is "$(jq -c 'select(.event == "update") | .conn.cached.ka_timeout' \
		"$json")" 10000
	is "$(jq -r 'select(.event == "terminate") | .conn.reason' "$json")" \
		host
	is "$(jq -r 'select(.event == "dev") | .dev.ifname' "$json" | uniq)" \
		chim0
}

# ---- texts --------------------------------------------------------------

# The words of the objects' help texts: those written small.
help_words() {
	local object

	for object in dev conn monitor; do
		chimney "$object" help
	done | sed 's/T := .*//' | grep -oE '(^|[ |{[])[a-z][a-z0-9-]+' |
		tr -d ' |{[' | sort -u
}

# lacks TEXT WORD...: the first word that is not in it, as a word of its own.
lacks() {
	local text=$1 word
	shift

	for word; do
		[[ $text =~ (^|[^a-z0-9-])"$word"([^a-z0-9-]|$) ]] && continue
		echo "$word"
		return
	done
}

man_words() {
	local page
	local -a words

	mapfile -t words < <(help_words)
	is "$(printf '%s\n' "${words[@]}" |
		grep -cxE 'upload-all|max-rt-restart|fd')" 3 "words of help"
	# Without the marks of the page's language.
	page=$(sed -E 's/\\-/-/g; s/\\f.//g' "$tool_dir/chimney.8")
	is "$(lacks "$page" "${words[@]}" -j -p -s -d -n -V -h)" "" \
		"missing in the manual page"
	is "$(lacks "$page" no-such-word)" no-such-word
}

# complete_line WORD...: the completions of the last word.
complete_line() {
	# What the completion takes from its package, as far as it is needed.
	# shellcheck disable=SC2034	# it reads them
	_init_completion() {
		words=("${COMP_WORDS[@]}")
		cword=$COMP_CWORD
		cur=${words[cword]}
		prev=${words[cword - 1]}
	}
	__ltrim_colon_completions() { :; }

	# shellcheck source=/dev/null
	. "$tool_dir/chimney.bash-completion"
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	_chimney
	echo " ${COMPREPLY[*]} "
}

completes() {
	local -a words
	local id

	fresh
	id=$(json '.[0].id' conn offload dst 192.0.2.2)
	is "$(complete_line chimney '')" " dev conn monitor help "
	is "$(complete_line chimney -n "$H" dev pause '')" " chim0 "
	is "$(complete_line chimney conn upd)" " update "
	[[ $(complete_line chimney -n "$H" conn update '') == *" $id "* ]]
	[[ $(complete_line chimney -n "$H" conn update dst '') == \
		*" 192.0.2.2:8000 "* ]]
	[[ $(complete_line chimney -n "$H" conn offload dst '') == \
		*" 192.0.2.2:8000 "* ]]
	is "$(complete_line chimney conn update 1 max-rt '')" \
		" unlimited default "
	mapfile -t words < <(help_words)
	is "$(lacks "$(< "$tool_dir/chimney.bash-completion")" "${words[@]}")" \
		"" "missing in the completion"
}

topo_pair
serve 8000
run "dev show" shows_devices
run "empty lists" shows_nothing
run "dev set" sets_devices
run "dev: refusals" refuses_devices
run "dev pause, resume, upload-all" pauses_devices
run "conn offload by addresses" offloads_by_addresses
run "conn offload: IPv6" offloads_ipv6
run "conn offload by descriptor" offloads_by_descriptor
run "conn: names in JSON" json_names
run "conn update" updates
run "conn: refusals" refuses_connections
run "conn: more than one fits" refuses_ambiguity
run "namespaces" keeps_namespaces_apart
run "without privileges" unprivileged
run "monitor" monitor
run "manual page has the words of help" man_words
run "completion" completes
finish
