# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced: packages of another suite of Debian than this machine's.

# shellcheck disable=SC2016	# it is apt that expands this
apt_urls() {
	apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' 2> /dev/null
}

# apt_mirror: prints where this machine has Debian's packages from. Only the
# lists tell that it is Debian's.
apt_mirror() {
	local urls

	urls=$(apt_urls)
	if [ -z "$urls" ]; then
		apt-get -q update > /dev/null 2>&1 || :
		urls=$(apt_urls)
	fi
	[ -n "$urls" ] || return 1
	urls=${urls%%$'\n'*}
	# A list of mirrors is understood by apt alone.
	case $urls in
	mirror+file:*)
		urls=${urls#mirror+file:}
		grep -m 1 -oE '^(https?|ftp|file):[^[:space:]]+' "${urls%/}"
		;;
	*)
		echo "$urls"
		;;
	esac
}

# apt_suite MIRROR SUITE FOLDER: sets "apt" to options that give an apt command
# lists of its own, of that suite alone; what this machine's apt knows is
# neither asked nor changed.
apt_suite() {
	local keys=/usr/share/keyrings/debian-archive-keyring.gpg d=$3/apt

	mkdir -p "$d"/{lists,cache/archives}/partial
	: > "$d/status"
	echo "deb [signed-by=$keys] $1 $2 main" > "$d/sources"
	# shellcheck disable=SC2034	# whoever sources this uses it
	apt=(-o "Dir::Etc::sourcelist=$d/sources"
	     -o Dir::Etc::sourceparts=/dev/null
	     -o "Dir::State::lists=$d/lists"
	     -o "Dir::State::status=$d/status"
	     -o "Dir::Cache=$d/cache" -o APT::Sandbox::User=root)
}
