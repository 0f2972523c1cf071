#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The program "races", which takes the module out and puts it back.
#
# usage: races.sh [-t SECONDS] [-s SEED]

# shellcheck source=selftests/module_lib.sh
. "$(dirname "$0")/module_lib.sh"

exec "$(dirname "$0")/races" -m "$(module_file)" "$@"
