# make            builds ./server, ./client and ./benchmark
# make help       lists the rest
#
# Everything that is missing is installed: system packages with apt-get (as root, or with sudo that asks for no password; else the command to run is
# printed), Python packages, and Go where there is none, into ./.venv.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

GO_SOURCES := go.mod go.sum $(shell find go -name '*.go' -o -name '*.s')
PYTHON_SOURCES := pyproject.toml setup.py $(shell find python gui \( -name '*.py' -o -name '*.[ch]' \) -not -path 'python/tests/*')

# The Go command: found when a recipe first needs it, after the set-up.
GO = $(or $(GO_FOUND),$(eval GO_FOUND := $$(shell $(BIN)/python python/packaging/toolchain.py))$(GO_FOUND))
export GOTOOLCHAIN := local

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 20

.PHONY: build
build: server client benchmark ## build ./server, ./client and ./benchmark (also: make)

.PHONY: run
run: build $(VENV)/installed ## start a server, call it from Go and Python, compare with Unix sockets, write a plot
	PATH="$(CURDIR)/$(BIN):$$PATH" docs/examples/tour.sh

.PHONY: gui
gui: $(VENV)/installed ## open the dashboard
	$(BIN)/python -m nanorpc.gui

.PHONY: test
test: check test-go test-race test-repeat test-python test-gui test-model ## run every check and test

.PHONY: check
check: $(VENV)/installed ## formatting, vet, staticcheck, ruff, mypy
	unformatted=$$("$$(dirname $(GO))/gofmt" -l go) && { [ -z "$$unformatted" ] || { echo "not formatted: $$unformatted"; exit 1; }; }
	$(GO) vet ./...
	$(GO) vet -tags failpoints ./go/torture ./go/internal/failpoint
	$(GO) run $(STATICCHECK) ./...
	$(GO) run $(STATICCHECK) -tags failpoints ./go/torture ./go/internal/failpoint
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check .
	rm -rf build/types && mkdir -p build/types && cp -r python/nanorpc build/types/ && cp -r gui build/types/nanorpc/gui
	$(BIN)/mypy -p nanorpc
	$(BIN)/mypy python/packaging

.PHONY: test-go
test-go: $(VENV)/installed ## Go tests
	NANORPC_TEST_PYTHON=$(abspath $(BIN)/python) $(GO) test -count=1 $$($(GO) list ./... | grep -v /torture)
	NANORPC_TEST_PYTHON=$(abspath $(BIN)/python) $(GO) test -count=1 -tags failpoints ./go/internal/failpoint ./go/torture

.PHONY: test-compare
test-compare: $(VENV)/ready ## vet, staticcheck and tests of what NanoRPC is compared with in Go, a module of its own
	cd go/bench/peers && $(GO) vet ./... && $(GO) run $(STATICCHECK) ./... && $(GO) test -count=1 ./...

.PHONY: test-race
# Without those of the load generator that only take a minute with it, as each process spins against others; and without memory that is taken away: the detector's own code, which is C,
# touches it as well, and a fault there ends the process.
test-race: $(VENV)/installed ## Go tests with the race detector
	$(GO) test -count=1 -race -skip '^Test(SeveralClients|SeveralClientsStop|ResultsMakeSense|ClientThatTakesTheMemoryAway)$$' $$($(GO) list ./... | grep -v /torture)

# Tests of what happens at the same time: each time it happens in another order.
CONCURRENT := Cancel|CancelReachesHandler|CloseWithCallsInFlight|ShutdownServesCallsInFlight|DeadlineAndLateReply|QuickMethodThatTurnsSlow|ContextEndsWithTheCall|Go|GoDeadlinesAndLateReplies|GoWhenTheConnectionEnds|BatchWithLittleRoomForReplies|LoansWaitForRoom|HoardedLeases|ForgottenLeasesAreFound|MaxConcurrency.*|PoolConcurrently|Collector.*|Worker.*|StuckWorkers
CONCURRENT_PACKAGES := ./go/nanorpc ./go/internal/link ./go/internal/endpoint

.PHONY: test-repeat
test-repeat: $(VENV)/installed ## Go tests of concurrency, five times, with the race detector
	$(GO) test -count=5 -race -run '^Test($(CONCURRENT))$$' $(CONCURRENT_PACKAGES)

FUZZTIME ?= 30s

# When the time is over, go test may take its own deadline for a failure (golang/go#75804, mended in Go 1.27). Then no input has failed.
.PHONY: fuzz
fuzz: $(VENV)/ready ## run each fuzz test for FUZZTIME (30s); what fails is kept in testdata
	mkdir -p build
	grep -rHo --include='*_test.go' 'func Fuzz[A-Za-z]*' go | sed -E 's|/[^/]*:func | |' | while read -r package name; do \
	    $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x "./$$package" 2>&1 | tee build/fuzz.log || \
	        { grep -qx '    context deadline exceeded' build/fuzz.log && ! grep -q 'Failing input' build/fuzz.log; } || exit 1; \
	done

.PHONY: test-python
test-python: $(VENV)/installed build ## Python tests
	PYTHONDEVMODE=1 $(BIN)/python -m pytest python/tests --ignore=python/tests/gui

.PHONY: test-gui
test-gui: $(VENV)/installed ## dashboard tests, without a display
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest python/tests/gui

.PHONY: screenshots
screenshots: $(VENV)/installed server ## pictures of the dashboard in all states, both themes, at 1× and 2×: build/screenshots
	mkdir -p build/screenshots
	for scale in 1 2; do for take in take_screenshots take_benchmark_screenshots; do \
	    QT_QPA_PLATFORM=offscreen QT_SCALE_FACTOR=$$scale $(BIN)/python python/tests/gui/$$take.py $$scale build/screenshots light dark; \
	done; done

.PHONY: readme-pictures
readme-pictures: $(VENV)/installed ## measure, on a machine that is idle, and make the README's pictures: docs/images
	QT_QPA_PLATFORM=offscreen $(BIN)/python python/tests/gui/take_readme_pictures.py docs/images

.PHONY: profile
profile: $(VENV)/installed build/profile/ready ## where the time of round trips goes, by pprof, perf and py-spy: out/profile
	PATH="$$(dirname $(GO)):$$PATH" $(GO) run ./go/internal/profile -out out/profile -python $(BIN)/python -py-spy build/profile/bin/py-spy

# In an environment of its own: nothing else needs it.
build/profile/ready:
	$(PYTHON) -m venv build/profile
	build/profile/bin/python -m pip install --quiet --disable-pip-version-check py-spy
	touch $@

.PHONY: instructions
instructions: $(VENV)/installed ## count the instructions that calls take, and compare with docs/benchmarks.md (UPDATE=1: write them there)
	NANORPC_TEST_PYTHON=$(abspath $(BIN)/python) $(GO) test -count=1 -v -run '^TestInstructions$$' ./go/nanorpc $(if $(UPDATE),-args -update)

.PHONY: model test-model
model: ## check the model of the protocol with Spin, and that it finds mutants (FULL=1: at full size)
	docs/model/check $(if $(FULL),full,all)
test-model: ## the same at the size of continuous integration
	docs/model/check all

.PHONY: torture
torture: SHARE ?= 1
torture: RUN ?= .
torture: export NANORPC_TORTURE = $(SHARE)
torture: export NANORPC_TORTURE_ROWS = $(CURDIR)/out/torture.jsonl
torture: export NANORPC_TEST_PYTHON = $(CURDIR)/$(BIN)/python
torture: $(VENV)/installed ## try to lose something for some hours: docs/reliability.md. SHARE=0.01 does a hundredth of it, RUN=Soak tests of that name
	mkdir -p build/tests out && rm -f $(NANORPC_TORTURE_ROWS)
	failed=; \
	for package in $$(grep -rl --include='*_test.go' nanorpc/go/internal/trial go | xargs -n1 dirname | sort -u); do \
	    binary=$(CURDIR)/build/tests/$${package##*/}; \
	    $(GO) test -c -tags failpoints -o $$binary ./$$package && (cd $$package && $$binary -test.timeout 0 -test.run '$(RUN)') || failed=1; \
	done; \
	$(GO) run ./go/internal/trial/report -rows $(NANORPC_TORTURE_ROWS) -json out/torture.json; [ -z "$$failed" ]

COMPARE := build/compare

.PHONY: compare
compare: $(COMPARE)/venv/installed $(COMPARE)/go/built ## measure NanoRPC beside what people would use instead: out/compare. QUICK=1 sees that all works; ARGS='--cases echo'
	PATH="$$(dirname $(GO)):$$PATH" $(COMPARE)/venv/bin/python -m nanorpc.compare --go $(COMPARE)/go --output out/compare $(if $(QUICK),--quick) $(ARGS)

# An environment of its own: what NanoRPC is compared with is no dependency of it. There are wheels of iceoryx2 for glibc 2.34 and later only, which no
# requirement can say.
$(COMPARE)/venv/installed: $(VENV)/ready $(GO_SOURCES) $(PYTHON_SOURCES)
	[ -x $(COMPARE)/venv/bin/python ] || $(BIN)/python -m venv $(COMPARE)/venv
	rm -rf build/lib.*
	PATH="$$(dirname $(GO)):$$PATH" $(COMPARE)/venv/bin/python -m pip install --quiet --disable-pip-version-check '.[compare]'
	$(COMPARE)/venv/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: 'iceoryx2>=0.10' || \
	    echo 'compare: iceoryx2 cannot be installed here, and is left out' >&2
	touch $@

$(COMPARE)/go/built: $(GO_SOURCES) $(wildcard go/bench/peers/go.*) | $(VENV)/ready
	mkdir -p $(@D)
	$(GO) build -o $(@D) ./go/cmd/benchmark
	$(GO) build -C go/bench/peers -o $(CURDIR)/$(@D) ./grpc ./nats
	touch $@

.PHONY: setup
setup: $(VENV)/installed ## install everything that is needed, and the package, into ./.venv

server client benchmark: $(GO_SOURCES) | $(VENV)/ready
	$(GO) build -o $@ ./go/cmd/$@

$(VENV)/ready: .ci/setup pyproject.toml python/packaging/toolchain.py
	.ci/setup $(PYTHON) $(VENV)
	touch $@

$(VENV)/installed: $(VENV)/ready $(GO_SOURCES) $(PYTHON_SOURCES)
	rm -rf build/lib.* # what is no module any more would be installed again
	PATH="$$(dirname $(GO)):$$PATH" $(BIN)/python -m pip install --quiet --no-build-isolation '.[test,dev]'
	touch $@

.PHONY: clean
clean: ## remove what has been built, and ./.venv
	rm -rf server client benchmark build dist out $(VENV) *.egg-info
