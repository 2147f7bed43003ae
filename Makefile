# Every target sets up what it needs: on a bare Debian machine `make run` or `make test` is the first command.
SHELL := /bin/bash
export PATH := $(HOME)/.cargo/bin:$(PATH)

PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/sbin
DATADIR ?= $(PREFIX)/share
DESTDIR ?=
TARGET  := $(or $(CARGO_TARGET_DIR),target)

.DEFAULT_GOAL := help
.PHONY: help setup build run test test-vm check audit docs size conformance sweep fuzz engines bench install deb clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 10

setup: ## install packages and Rust targets; does nothing when all is there
	@scripts/setup

build: setup ## the static release binary, as target/hull
	@scripts/build

run: build ## a real container: Debian's busybox, started by hull
	@scripts/demo

test: build ## every test, on real root filesystems
	@scripts/test

test-vm: build ## the suites in virtual machines: cgroup v2, systemd, AppArmor, SELinux
	@scripts/test-vm

check: setup ## format, lints, shell scripts, house rules, dependencies
	@scripts/check

audit: setup ## licences, sources, duplicates and advisories of the dependencies
	@scripts/audit

size: build ## the promises about the binary: size, static, other architecture
	@scripts/size

conformance: build ## the specification's cases on hull, runc and crun
	@scripts/conformance

engines: deb ## containerd, Docker, Podman, Buildah and CRI on hull, in machines of their own
	@scripts/engines

sweep: build ## every system call of every verb made to fail, and its process killed there
	HULL=$(abspath $(TARGET))/hull HULL_PROBE=$(abspath $(TARGET))/probe cargo test --locked --test faults -- --all

fuzz: setup ## everything that others write and hull reads, one minute a target
	@scripts/fuzz 60

bench: build ## beside crun, runc and the bare system calls; BENCH=--quick takes a minute
	@benches/compare $(BENCH)

docs: setup ## man pages and shell completions, in target/docs
	@scripts/docs

install: build docs ## copy binary, man pages and completions below $(DESTDIR)$(PREFIX)
	install -D -m 0755 $(TARGET)/hull $(DESTDIR)$(BINDIR)/hull
	cd $(TARGET)/docs && find * -type f -exec install -D -m 0644 {} $(abspath $(DESTDIR)$(DATADIR))/{} \;

deb: build ## a Debian package, as target/hull.deb
	@scripts/deb

clean: ## remove what was built, except the cached root filesystems
	rm -rf target .work/demo
