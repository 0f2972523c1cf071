#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: vm.sh 'COMMAND ARGS'	run a command in the test guest
#        vm.sh --shell		interactive shell there
#
# The command runs as root in the checkout; its output and exit status become
# ours.  The guest sees this machine's files, cannot change them, and has no
# network but its own.  Failure of the guest itself is exit status 125.
#
# Environment:
#   VTIME=1	virtual time: one CPU, idle time passes at once
#   NOMOD=1	do not load chimney.ko
#   MODULE=F	load this file instead of building the project's module
#   KERNEL=V	version prefix of the kernel, default 6.1; or "debug"
#   LEAKS=1	look for lost memory at the end; with KERNEL=debug
#   MEM=N	MiB of memory, default 1024, for a debug kernel 2048
#   WARM=1	copy what tests run into the guest's memory first, which pays
#		when they run for minutes; in virtual time always
#   CPUS=N	processors, default 2; one in virtual time
#   TIMEOUT=N	seconds of real time until the guest is stopped, default 600
#   LOG=F	console log, default build/log/vm-PID.log, removed on success
#   CHIMNEY_COVERAGE=D  leave there what ran of the module, for coverage.py

# shellcheck disable=SC2054	# qemu's options have commas
set -eu -o pipefail

qemu_dir=$(dirname "$(realpath "$0")")
top=$(dirname "$(dirname "$qemu_dir")")
say() { echo "vm: $*" >&2; }

# What a kernel in trouble prints.  Console lines end in CR LF.
markers='BUG:|WARNING:|Oops|Call Trace:|\] RIP: |Kernel panic|'
markers+='general protection|KASAN|UBSAN|unreferenced object|ODEBUG:|'
markers+='possible circular locking|possible recursive locking|'
markers+='suspicious RCU usage|inconsistent lock state|ref_tracker:|'
markers+='self-detected stall|detected stalls|blocked for more than|'
markers+='refcount_t: |unregister_netdevice: waiting|'
markers+='leaked reference|list_(add|del) corruption|kmem_cache_destroy|'
markers+='Attempt to release|Impossible, sk|wrong queue state|found a SYN|'
markers+='Dead loop on|is buggy, dev|neighbour leakage|Freeing alive|'
markers+='NOHZ tick-stop error|expedited stalls|kmemleak_object'

# complaints FILE: of what it has. A sysctl that finds no memory, which faults
# on demand bring about, tells where it was asked, and is fine otherwise.
complaints() {
	grep -m 1 -E "$markers" < <(
		sed -u '/sysctl could not get directory/ {
			:a
			/<\/TASK>/d
			/\(\n[^\n]*\)\{200\}/b
			N
			ba
		}' "$1")
}

shell=
if [ "${1:-}" = --shell ]; then
	shell=1
	run=
else
	run=${1:?no command given}
fi
vtime=${VTIME:-}
warm=$vtime${WARM:-}
leaks=${LEAKS:-}
cpus=${CPUS:-2}
limit=${TIMEOUT:-600}
[ -n "$shell" ] && limit=${TIMEOUT:-86400}

k=$("$qemu_dir/kernel.sh" "${KERNEL:-6.1}")
initrd=$("$qemu_dir/initrd.sh" "$k")
mem=1024
[[ $(< "$k/version") != *-debug ]] || mem=2048
mem=${MEM:-$mem}
module=
if [ -z "${NOMOD:-}" ]; then
	module=${MODULE:-$("$qemu_dir/module.sh" "$k")}
	module=$(realpath "$module")
fi

mkdir -p "$top/build/log"
job=$(mktemp -d "$top/build/job.XXXXXX")
console=${LOG:-$top/build/log/vm-$$.log}
: > "$console"
qemu_pid=
cleanup() {
	[ -z "$qemu_pid" ] || kill "$qemu_pid" 2> /dev/null || :
	rm -rf "$job"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

{
	declare -p -x | grep -E '^declare -x (KSFT|KSELFTEST|CHIMNEY)_' || :
	printf 'export TERM=%q\n' "${TERM:-dumb}"
	printf '%s=%q\n' TOP "$top" KDIR "$k" MODULE "$module" RUN "$run" \
		VTIME "$vtime" WARM "$warm" LEAKS "$leaks" SHELL_MODE "$shell" \
		TOOLS "$top/tools/chimney"
	if [ -n "$shell" ] && [ -t 0 ]; then
		size=$(stty size)
		printf 'WINSIZE=%q\n' "rows ${size% *} cols ${size#* }"
	else
		echo 'WINSIZE='
	fi
	[ -n "$vtime" ] && echo 'export CHIMNEY_VTIME=1'
} > "$job/env"

# What tests run: programs, their libraries, and the links that lead to them.
hot_files() {
	local f staged=()
	local hot=(awk basename bash bc cat chmod chown cp cut date dd
		dirname env ethtool find grep head id ip iperf3 jq kill ln ls
		mkdir mkfifo mktemp mv nc nsenter od printf ps python3 readlink
		realpath redis-cli redis-server rm sed seq setsid sh sleep
		socat sort ss stat strace stty sysctl tail tc tcpdump tee
		test timeout touch tr true uniq unshare wc xargs)

	case $run in
	build/stage/*) staged=("$top/${run%/*}") ;;
	esac
	{
		for f in "${hot[@]}"; do
			type -P "$f" || :
		done
		find "$top/selftests" "$top/tools" "${staged[@]}" \
			\( -type f -o -type l \) -size -4096k 2> /dev/null || :
	} > "$job/direct"
	{
		cat "$job/direct"
		xargs ldd < "$job/direct" 2> /dev/null |
			grep -oE '/[^ :()]+' || :
		echo /etc/ld.so.cache
	} | sort -u | while read -r f; do
		while echo "$f" && [ -L "$f" ]; do
			case $(readlink "$f") in
			/*) f=$(readlink "$f") ;;
			*) f=$(realpath -s "${f%/*}/$(readlink "$f")") ;;
			esac
		done
	done | sed -n 's#^/*\(.*\)#/\1#p' | sort -u
}
if [ -n "$warm" ]; then
	hot_files > "$job/hot"
fi

append="console=ttyS0 panic=-1 oops=panic quiet nokaslr mitigations=off"
append+=" no_timer_check lpj=8000000 cryptomgr.notests random.trust_cpu=on"
append+=" rig=$qemu_dir job=$job"
[ -n "$leaks" ] || append+=" kmemleak=off"
root_fs=local,path=/,mount_tag=root,readonly=on
root_fs+=,security_model=none,multidevs=remap
args=(-nodefaults -no-user-config -display none -no-reboot
      -m "$mem" -bios qboot.rom -kernel "$k/vmlinux" -initrd "$initrd"
      -serial "file:$console" -device virtio-serial-pci
      -virtfs "$root_fs"
      -chardev "file,id=result,path=$job/result"
      -device virtserialport,chardev=result,name=result)

qemu=(qemu-system-x86_64)
if [ -n "$vtime" ]; then
	# Two CPUs hang with icount.  The clock must not follow the host's.
	args+=(-smp 1 -accel tcg -icount "shift=1,sleep=off"
	       -rtc "base=2026-01-01T00:00:00,clock=vm")
	append+=" noreplace-smp nowatchdog tsc=reliable psi=0"
elif [ "$("$qemu_dir/accel.sh" "$k" "$initrd")" = kvm ]; then
	args+=(-smp "$cpus" -accel kvm -cpu host)
else
	# Newer versions are slow to pass idle time, or they would do above.
	found=$("$qemu_dir/qemu.sh")
	mapfile -t qemu <<< "$found"
	args+=(-smp "$cpus" -accel "tcg,thread=multi")
	khz=$("$qemu_dir/tsc.sh")
	append+=" tsc=reliable tsc_early_khz=$khz"
fi
args+=(-append "$append")

# Not every complaint ends the guest by itself, and what comes after the first
# tells nothing: lockdep, for one, is off from then on.
stop_at_complaint() {
	local size='' idle

	complaints <(tail -n +1 -s 1 --pid="$1" -f "$console") > /dev/null ||
		return 0
	exec {idle}<> <(:)
	# It is complete when the console is quiet.
	while [ "$size" != "$(stat -c %s "$console")" ]; do
		size=$(stat -c %s "$console")
		read -r -t 2 -u "$idle" || :
	done
	kill "$1" 2> /dev/null || :
}

if [ -n "${CHIMNEY_COVERAGE:-}" ]; then
	args+=(-chardev "file,id=coverage,path=$job/coverage"
	       -device virtserialport,chardev=coverage,name=coverage)
fi

cats=()
SECONDS=0
if [ -n "$shell" ]; then
	args+=(-chardev "stdio,id=tty,signal=off"
	       -device virtconsole,chardev=tty)
	rc=0
	"${qemu[@]}" "${args[@]}" || rc=$?
else
	mkfifo "$job/out" "$job/err"
	args+=(-chardev "file,id=out,path=$job/out"
	       -device virtserialport,chardev=out,name=out
	       -chardev "file,id=err,path=$job/err"
	       -device virtserialport,chardev=err,name=err)
	timeout -k 5 "$limit" "${qemu[@]}" "${args[@]}" \
		< /dev/null 2> "$job/qemu.err" &
	qemu_pid=$!
	# Nobody is there any more to hear of it.
	{ cat "$job/out" || kill "$qemu_pid"; } &
	cats+=($!)
	{ cat "$job/err" >&2 || kill "$qemu_pid"; } &
	cats+=($!)
	stop_at_complaint "$qemu_pid" &
	rc=0
	wait "$qemu_pid" || rc=$?
	qemu_pid=
	# They end, also if it did not begin, and whenever they did.
	exec {idle}<> <(:)
	while kill -0 "${cats[@]}" 2> /dev/null; do
		: <> "$job/out" <> "$job/err"
		read -r -t 0.1 -u "$idle" || :
	done
	cat "$job/qemu.err" >&2
fi

if [ -s "$job/coverage" ]; then
	mkdir -p "$CHIMNEY_COVERAGE"
	mv "$job/coverage" "$CHIMNEY_COVERAGE/${job##*.}.tar"
fi
result=$(tail -n 1 "$job/result" 2> /dev/null || :)
bad=
# It is 137 as well when something else killed qemu.
if [ "$rc" -eq 124 ] || { [ "$rc" -eq 137 ] && [ "$SECONDS" -ge "$limit" ]; }
then
	bad="stopped after $limit s"
elif [ "$rc" -ne 0 ]; then
	bad="qemu failed, status $rc"
elif complaint=$(complaints "$console" | tr -d '\r'); then
	bad="the kernel complained: $complaint"
elif [ -z "$result" ]; then
	bad="the guest ended without a result"
elif [[ $result != exit=* ]]; then
	bad=$result
fi
if [ -n "$bad" ]; then
	say "$bad; end of $console:"
	tail -n "${LOG_LINES:-60}" "$console" | tr -d '\r' >&2
	say "FAILED: $bad"
	exit 125
fi
[ -n "${LOG:-}" ] || rm -f "$console"
exit "${result#exit=}"
