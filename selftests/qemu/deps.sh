#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes sure that what the build, the checks and the test guest need is on
# this machine.  On a Debian-like system the missing packages are installed;
# elsewhere they are listed and the script fails.  Quick and silent when
# nothing is missing.  No service is started by an installation.

set -u

# Package, and what it is wanted for.
read -r -d '' WANTED <<'LIST'
build-essential		build the module and the tool
bc			build the module
bison			build the module
flex			build the module
libelf-dev		build the module
libssl-dev		build the module
kmod			resolve module dependencies
debootstrap		build the module for kernels of a newer Debian
xz-utils		unpack modules of newer kernels
zstd			unpack newer kernels
cpio			pack the initial ram disk
busybox-static		the first program of the test guest
qemu-system-x86		run the test guest
qemu-system-data	quick firmware of the test guest
libmnl-dev		build the tool
pkg-config		build the tool
rsync			stage the tests
python3-yaml		check the netlink specification
yamllint		check the netlink specification
sparse			static checks
shellcheck		static checks
codespell		static checks
groff			check the manual page
man-db			check the manual page
python3-docutils	check the documentation
iproute2		tests: links, namespaces, socket listing
ethtool			tests: device settings
socat			tests: peers
netcat-openbsd		tests: peers
jq			tests: JSON output
iperf3			tests: bulk transfer
tcpdump			tests: capture
tshark			tests: dissection
strace			tests: system calls
redis-server		tests: a real application
redis-tools		tests: a real application
openssh-server		tests: a real application
nginx-light		tests: a real application
LIST

missing=()
why=
installed=" $(dpkg-query -W -f '${db:Status-Status}=${Package} ' \
	2>/dev/null) "
while read -r pkg reason; do
	[[ $installed == *" installed=$pkg "* ]] && continue
	missing+=("$pkg")
	printf -v why '%s  %-18s %s\n' "$why" "$pkg" "$reason"
done <<< "$WANTED"

if [ "${#missing[@]}" -eq 0 ]; then
	exit 0
fi

if ! command -v apt-get > /dev/null; then
	echo "No Debian-like system; please install (Debian's names):" >&2
	printf '%s' "$why" >&2
	echo "and set CHIMNEY_NODEPS=1 to skip this check." >&2
	[ -n "${CHIMNEY_NODEPS:-}" ] && exit 0
	exit 1
fi
[ -n "${CHIMNEY_NODEPS:-}" ] && exit 0
if [ "$(id -u)" -ne 0 ]; then
	echo "Missing packages:" >&2
	printf '%s' "$why" >&2
	echo "Install them:  sudo apt-get install ${missing[*]}" >&2
	exit 1
fi

echo "Installing missing packages:" >&2
printf '%s' "$why" >&2

# Debian asks this program before it starts a service.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod 755 "$policy"
	trap 'rm -f "$policy"' EXIT
fi

export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -y -q -o DPkg::Lock::Timeout=600)
install=("${apt[@]}" install --no-install-recommends "${missing[@]}")
{
	"${install[@]}" || { "${apt[@]}" update && "${install[@]}"; }
} < /dev/null >&2
