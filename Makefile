# SPDX-License-Identifier: GPL-2.0
#
# For people; the kernel's build system reads Kbuild instead.

# Kernel to build against: the running one if its headers are here, else a
# distribution kernel kept in the cache folder (selftests/qemu/kernel.sh).
ifeq ($(KERNELDIR),)
KERNELRELEASE ?= $(shell uname -r)
KERNELDIR := $(wildcard /lib/modules/$(KERNELRELEASE)/build)
endif
CACHED_KERNEL = $(shell selftests/qemu/kernel.sh)
BUILDDIR = $(or $(KERNELDIR),$(firstword \
		$(wildcard $(CACHED_KERNEL)/lib/modules/*/build)))

DESTDIR ?=
PREFIX ?= /usr/local
VERSION := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)

export KERNEL LEAKS MEM CPUS TIMEOUT VTIME NOMOD MODULE LOG TESTS

.PHONY: help all modules tools check check-debug check-matrix coverage lint
.PHONY: demo bench soak vm shell
.PHONY: install dkms-install clean deps mutants

help:
	@echo 'make modules       chimney.ko, for the running kernel if its headers'
	@echo '                   are here, else a cached one; or KERNELDIR=DIR'
	@echo 'make tools         the chimney command'
	@echo 'make all           both'
	@echo 'make install       both, for the running kernel'
	@echo 'make dkms-install  hand the sources to dkms'
	@echo
	@echo 'make check         static checks, then every test in a virtual machine;'
	@echo '                   TESTS="a.sh b" for some of the tests,'
	@echo '                   KERNEL=version for all of them on that kernel'
	@echo 'make check-matrix  every test on each kernel: 6.1, 6.12, 7'
	@echo 'make check-debug   every test on a kernel that watches itself, which is'
	@echo '                   built once: a quarter of an hour on two CPUs'
	@echo 'make coverage      every test on the debug kernel, and which lines ran'
	@echo 'make lint          static checks only'
	@echo 'make mutants       break the module on purpose, see the tests notice'
	@echo 'make soak          a million hand-overs, netlink messages and segments,'
	@echo '                   and ten minutes of races; hours with KERNEL=debug'
	@echo 'make demo          watch a connection go down the chimney and back'
	@echo 'make bench         measurements'
	@echo 'make vm RUN="CMD"  run CMD there with the module loaded; VTIME=1 for'
	@echo '                   virtual time, NOMOD=1 without the module, MEM=MiB,'
	@echo '                   CPUS=N, TIMEOUT=seconds, KERNEL=version'
	@echo 'make shell         a shell there'
	@echo 'make clean'
	@echo
	@echo 'Nothing but install and dkms-install touches this machine: the rest'
	@echo 'installs missing packages, but loads no module.'

all: modules tools

modules:
	$(MAKE) -C $(BUILDDIR) M=$(CURDIR) modules

tools:
	@mkdir -p build
	flock build/.lock $(MAKE) -C tools/chimney

deps:
	@selftests/qemu/deps.sh

lint: deps
	@selftests/lint.sh

check: deps
	@selftests/qemu/check.sh

check-debug: KERNEL = debug
check-debug: check

# What fails does not keep the figures back.
coverage: deps
	@rm -rf build/coverage
	@rc=0; \
	KERNEL=debug CHIMNEY_COVERAGE=$(CURDIR)/build/coverage \
		selftests/qemu/check.sh || rc=1; \
	selftests/qemu/coverage.py build/coverage || rc=1; \
	exit $$rc

check-matrix: deps
	@selftests/qemu/matrix.sh

vm: deps
	@$(if $(RUN),,$(error make vm RUN="COMMAND ARGS"))
	@selftests/qemu/build.sh
	@selftests/qemu/vm.sh '$(subst ','\'',$(RUN))'

shell: deps
	@selftests/qemu/build.sh
	@selftests/qemu/vm.sh --shell

mutants: deps
	@selftests/mutants/run.sh $(MUTANTS)

# All of them, even if one fails.
soak: deps
	@selftests/qemu/build.sh
	@rc=0; export TIMEOUT=$(or $(TIMEOUT),36000); \
	for run in 'soak.sh -n 1000000' 'fuzz_netlink -n 1000000' \
			'hostile -n 1000000' 'races.sh -t 300'; do \
		selftests/qemu/vm.sh "selftests/$$run" || rc=1; \
	done; \
	CPUS=4 selftests/qemu/vm.sh 'selftests/races.sh -t 300' || rc=1; \
	exit $$rc

demo: RUN = selftests/demo.sh
demo: VTIME = 1
demo: vm

bench: deps
	@selftests/qemu/build.sh
	@VTIME=1 TIMEOUT=1800 selftests/qemu/vm.sh selftests/bench.sh
	@TIMEOUT=1800 selftests/qemu/vm.sh selftests/bench.sh

install: all
	$(MAKE) -C $(BUILDDIR) M=$(CURDIR) INSTALL_MOD_PATH=$(DESTDIR) \
		modules_install
	$(MAKE) -C tools/chimney DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) install

dkms-install:
	mkdir -p $(DESTDIR)/usr/src/chimney-$(VERSION)
	cp -a COPYING Kbuild Makefile dkms.conf drivers include \
		$(DESTDIR)/usr/src/chimney-$(VERSION)/
	dkms install -m chimney -v $(VERSION)

clean:
	find drivers -name '*.o' -o -name '*.ko' -o -name '*.mod' \
		-o -name '*.mod.c' -o -name '.*.cmd' -o -name '*.o.d' | \
		xargs -r rm -f
	rm -f Module.symvers modules.order .Module.symvers.cmd \
		.modules.order.cmd drivers/net/chimney/modules.order
	rm -rf build
	-test ! -e tools/chimney/Makefile || $(MAKE) -C tools/chimney clean
	$(MAKE) -C selftests clean
