#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Programs that know nothing of all this, while their connections go down the
# chimney and back.

# shellcheck source=selftests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=selftests/stream_lib.sh
. "$(dirname "$0")/stream_lib.sh"

# shuffled MIN COMMAND...: the command is repeated until connections have been
# taken down that often.
shuffled() {
	local min=$1 before
	shift

	ip netns exec "$H" "$(dirname "$0")/shuffle" &
	defer kill_wait "$!"
	before=$(counter offloads)
	while [ $(($(counter offloads) - before)) -lt "$min" ]; do
		"$@"
	done
	echo "offloads: $(($(counter offloads) - before))"
}

background_in() {
	local ns=$1
	shift

	ip netns exec "$ns" "$@" > "$ktap_tmp/log" 2>&1 &
	defer kill_wait "$!"
}

redis_load() {
	in_ns "$client" redis-benchmark -h "$server" -n 1000 -c 5 -P 4 -q \
		-t set,get,lpush,lrange_100 > "$ktap_tmp/load" 2>&1
	if grep -iE 'error|closed|refused' "$ktap_tmp/load"; then
		return 1
	fi
	in_ns "$client" redis-cli -h "$server" -x set big \
		< "$ktap_tmp/data" | grep -q OK
	in_ns "$client" redis-cli -h "$server" --raw get big |
		head -c 500000 | cmp - "$ktap_tmp/data"
}

# redis_at NAMESPACE ADDRESS FROM: the server is there, clients come from FROM.
redis_at() {
	local server=$2 client=$3

	random_data
	background_in "$1" redis-server --bind "$2" --save '' \
		--protected-mode no --dir "$ktap_tmp"
	wait_port "$1" 6379
	shuffled 50 redis_load
}

redis_on_host() {
	topo_pair
	redis_at "$H" 192.0.2.1 "$P"
}

redis_on_peer() {
	topo_pair
	redis_at "$P" 192.0.2.2 "$H"
}

random_data() {
	head -c 500000 /dev/urandom > "$ktap_tmp/data"
}

iperf_runs() {
	local seconds=1

	! slow_kernel || seconds=5
	in_ns "$1" iperf3 -c "$2" -t "$seconds" -J "${@:3}" > "$ktap_tmp/iperf"
	jq -e '.error == null and .end.sum_received.bytes > 0' \
		"$ktap_tmp/iperf" | grep -q true || {
		jq -c '[.error, .end]' "$ktap_tmp/iperf"
		return 1
	}
}

iperf() {
	topo_pair
	background_in "$P" iperf3 -s
	wait_port "$P" 5201
	shuffled 20 iperf_runs "$H" "$@"
}

ssh_keys() {
	rm -f "$ktap_tmp"/{host,user}{,.pub}
	ssh-keygen -q -t ed25519 -N '' -f "$ktap_tmp/host"
	ssh-keygen -q -t ed25519 -N '' -f "$ktap_tmp/user"
	cp "$ktap_tmp/user.pub" "$ktap_tmp/authorized"
}

ssh_run() {
	in_ns "$client" ssh -F none -i "$ktap_tmp/user" -p 2222 \
		-o StrictHostKeyChecking=no -o BatchMode=yes \
		-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
		-o KexAlgorithms=curve25519-sha256 \
		"root@$server" "$@"
}

ssh_both_ways() {
	ssh_run cat < "$ktap_tmp/data" > "$ktap_tmp/echo"
	cmp "$ktap_tmp/echo" "$ktap_tmp/data"
}

# ssh_at NAMESPACE ADDRESS CLIENT-NAMESPACE
ssh_at() {
	local server=$2 client=$3

	random_data
	ssh_keys
	mkdir -p /run/sshd
	background_in "$1" /usr/sbin/sshd -D -e -f /dev/null -p 2222 \
		-h "$ktap_tmp/host" -o PidFile=none -o StrictModes=no \
		-o AuthorizedKeysFile="$ktap_tmp/authorized" \
		-o PermitRootLogin=yes -o UseDNS=no
	wait_port "$1" 2222
	shuffled 20 ssh_both_ways
}

ssh_on_host() {
	topo_pair
	ssh_at "$H" 192.0.2.1 "$P"
}

ssh_on_peer() {
	topo_pair
	ssh_at "$P" 192.0.2.2 "$H"
}

nginx_config() {
	cat <<-EOC
		daemon off;
		user root;
		pid $ktap_tmp/nginx.pid;
		error_log $ktap_tmp/nginx.log;
		events { }
		http {
			access_log off;
			sendfile on;
			tcp_nopush on;
			server {
				listen 192.0.2.1:80;
				root $ktap_tmp;
			}
		}
	EOC
}

get() {
	printf 'GET /data HTTP/1.0\r\n\r\n' |
		in_ns "$P" socat -t 0.1 -,ignoreeof TCP:192.0.2.1:80 |
		sed '1,/^\r$/d' | cmp - "$ktap_tmp/data"
}

nginx_on_host() {
	topo_pair
	random_data
	chmod 755 "$ktap_tmp"
	nginx_config > "$ktap_tmp/nginx.conf"
	background_in "$H" nginx -c "$ktap_tmp/nginx.conf" -e "$ktap_tmp/log"
	wait_port "$H" 80
	# The reader is slow, so that there is something to take down.
	inh tc qdisc add dev veth0 root tbf rate 8mbit burst 20k latency 50ms
	shuffled 20 get
}

run "redis, server on the host" redis_on_host
run "redis, server on the peer" redis_on_peer
run "iperf3, from the host" iperf 192.0.2.2
run "iperf3, to the host" iperf 192.0.2.2 -R
run "iperf3, both ways, IPv6" iperf 2001:db8::2 --bidir -P 2
run "ssh, server on the host" ssh_on_host
run "ssh, server on the peer" ssh_on_peer
run "nginx, sendfile" nginx_on_host

finish
