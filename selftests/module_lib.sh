# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For scripts that take the module out and put it back.

# module_file: the file it was loaded from.
module_file() {
	local job

	if [ -n "${CHIMNEY_MODULE:-}" ]; then
		echo "$CHIMNEY_MODULE"
		return
	fi
	job=$(sed -nE 's/.* job=([^ ]+).*/\1/p' /proc/cmdline)
	sed -n 's/^MODULE=//p' "$job/env"
}
