# The front door. `make run` and `make test` do all set-up by themselves.
# SPDX-License-Identifier: MIT

BUILD_PACKAGES = gcc libc6-dev cmake ninja-build pkg-config libluajit-5.1-dev \
	libuv1-dev libwslay-dev libssl-dev libjansson-dev lua-cjson-dev \
	node-llhttp
TEST_PACKAGES = libcmocka-dev luajit lua-busted lua-check nodejs npm chromium \
	prometheus curl procps python3

RELEASE = build/release
PROGRAM = $(RELEASE)/tidewire
PREFIX ?= /usr/local

.PHONY: all build run test test-asan bench bench-peers install clean deps test-deps help

all: build

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: deps $(RELEASE)/build.ninja ## an optimised tidewire at build/release/tidewire
	@cmake --build $(RELEASE)

run: build ## starts the server with the chat room and the dashboard
	@$(PROGRAM) run --config scripts/config.lua scripts/main.lua $(ARGS)

test: test-deps tests/node_modules/.package-lock.json build build/test/build.ninja ## builds and passes all tests
	@cmake --build build/test
	@cd build/test && ctest -j$$(nproc) --output-on-failure $(TESTS)

test-asan: test-deps tests/node_modules/.package-lock.json build/asan/build.ninja ## the same under ASan and UBSan
	@cmake --build build/asan
	@cd build/asan && ctest -j$$(nproc) --output-on-failure $(TESTS)

bench: build ## CPU per message and bytes per connection, against a bare sender
	@tests/bench/run.sh $(PROGRAM) $(ARGS)

bench-peers: build ## the same work against other servers; long, see ARGS=--help
	@tests/bench/compare.py $(PROGRAM) $(ARGS)

install: build ## installs below PREFIX, /usr/local by default
	@cmake --install $(RELEASE) --prefix $(PREFIX)

clean: ## removes everything that was built
	@rm -rf build tests/node_modules

$(RELEASE)/build.ninja: CMakeLists.txt CMakePresets.json
	@cmake --preset release >/dev/null

build/test/build.ninja: CMakeLists.txt CMakePresets.json
	@cmake --preset test >/dev/null

build/asan/build.ninja: CMakeLists.txt CMakePresets.json
	@cmake --preset asan >/dev/null

tests/node_modules/.package-lock.json: tests/package-lock.json
	@cd tests && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

deps:
	@.ci/packages $(BUILD_PACKAGES)

test-deps:
	@.ci/packages $(BUILD_PACKAGES) $(TEST_PACKAGES)
