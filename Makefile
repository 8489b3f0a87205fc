# The front door. `make run` and `make test` do all set-up by themselves.
# SPDX-License-Identifier: MIT

BUILD_PACKAGES = gcc libc6-dev cmake ninja-build pkg-config libluajit-5.1-dev \
	libuv1-dev libwslay-dev libssl-dev zlib1g-dev libcurl4-openssl-dev libhiredis-dev libjansson-dev lua-cjson-dev \
	node-llhttp
TEST_PACKAGES = libcmocka-dev luajit lua-busted lua-check nodejs npm chromium \
	prometheus redis-server redis-tools curl procps python3 valgrind openssl g++
DEB_PACKAGES = dpkg-dev file
FUZZ_PACKAGES = clang libclang-rt-dev
COVERAGE_PACKAGES = gcovr

RELEASE = build/release
PROGRAM = $(RELEASE)/tidewire
PREFIX ?= /usr/local

.PHONY: all build run test test-asan valgrind coverage guard pauses bench bench-deps fuzz fuzz-ci fuzz-keep fuzz-targets install deb clean deps test-deps help

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

valgrind: test-deps build/test/build.ninja ## unit tests of plain C under valgrind
	@cmake --build build/test
	@tests/unit/valgrind.sh build/test $(TESTS)

# Less those that link the library into programs of their own.
coverage: test-deps tests/node_modules/.package-lock.json build/coverage/build.ninja ## lines and branches of core/ that the tests reach
	@cmake --build build/coverage
	@find build/coverage -name '*.gcda' -delete
	@cd build/coverage && ctest -j$$(nproc) --output-on-failure \
		-L '^(unit|integration)$$' -E '^integration\.(install|docs-run)$$'
	@tests/coverage.sh build/coverage

guard: test-deps build ## instructions of fixed work against those recorded
	@cmake --build $(RELEASE) --target guard
	@tests/bench/guard/guard.py $(RELEASE)/tests/bench/guard/guard $(ARGS)

pauses: build ## how long the collector of a script holds a server up
	@cmake --build $(RELEASE) --target pauses
	@$(RELEASE)/tests/bench/guard/pauses $(ARGS)

bench: bench-deps build ## side by side with other servers; ARGS=--quick: two minutes
	@tests/bench/compare.py $(PROGRAM) $(ARGS)

fuzz: fuzz-targets ## fuzzes until something is found; TARGET=name for one target
	@tests/fuzz/run.sh on build/fuzz $(TARGET)

fuzz-ci: fuzz-targets ## a minute (FUZZ_SECONDS) for each target, small ones 15 s
	@tests/fuzz/run.sh ci build/fuzz $(TARGET)

fuzz-keep: fuzz-targets ## keeps those inputs found that reach new code
	@tests/fuzz/run.sh keep build/fuzz $(TARGET)

fuzz-targets: build/fuzz/build.ninja
	@cmake --build build/fuzz --target fuzz-targets

install: build ## installs below PREFIX, /usr/local by default
	@cmake --install $(RELEASE) --prefix $(PREFIX)

deb: build/deb/build.ninja ## Debian packages in build/deb
	@cmake --build build/deb --target package
	@ls build/deb/*.deb

clean: ## removes everything that was built
	@rm -rf build tests/node_modules

$(RELEASE)/build.ninja: CMakeLists.txt CMakePresets.json
	@cmake --preset release >/dev/null

build/deb/build.ninja: CMakeLists.txt CMakePresets.json
	@.ci/packages $(BUILD_PACKAGES) $(DEB_PACKAGES)
	@cmake --preset deb >/dev/null

build/test/build.ninja: CMakeLists.txt CMakePresets.json
	@cmake --preset test >/dev/null

build/asan/build.ninja: CMakeLists.txt CMakePresets.json
	@cmake --preset asan >/dev/null

build/coverage/build.ninja: CMakeLists.txt CMakePresets.json
	@.ci/packages $(BUILD_PACKAGES) $(COVERAGE_PACKAGES)
	@cmake --preset coverage >/dev/null

build/fuzz/build.ninja: CMakeLists.txt CMakePresets.json
	@.ci/packages $(BUILD_PACKAGES) $(FUZZ_PACKAGES)
	@cmake --preset fuzz >/dev/null

tests/node_modules/.package-lock.json: tests/package-lock.json
	@cd tests && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

deps:
	@.ci/packages $(BUILD_PACKAGES)

# Its peers it installs itself: those that cannot be are left out.
bench-deps:
	@.ci/packages python3

test-deps:
	@.ci/packages $(BUILD_PACKAGES) $(TEST_PACKAGES) $(DEB_PACKAGES)
