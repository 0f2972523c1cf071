#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds what a guest finds in the checkout: the tool and the test programs.
# The module is built by module.sh, for the guest's kernel.

set -eu

cd "$(dirname "$(realpath "$0")")/../.."
mkdir -p build
exec 9> build/.lock
flock 9
if [ -e tools/chimney/Makefile ]; then
	make -s -C tools/chimney >&2
fi
# What the tests are written with comes with 6.1, whatever they run on.
KSFT=$(selftests/qemu/kernel.sh 6.1)/source/tools/testing/selftests
make -s -C selftests KSFT="$KSFT" >&2
