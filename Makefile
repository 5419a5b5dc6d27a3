# One word per task over the CMake presets. `make run` and `make test` are all that a newcomer needs.
SHELL := /bin/bash
JOBS ?= $(shell nproc)
SIM = env $(if $(SEED),MUSTER_SIM_SEED=$(SEED)) $(if $(RUNS),MUSTER_SIM_RUNS=$(RUNS))
CTEST := ctest --output-on-failure --no-tests=error -j$(JOBS)

.PHONY: help run scale-out build web test test-scale-out unit scenario scenario-clients asan tsan lint format sim sim-long fuzz bench ci clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */  make \1\t/' | expand -t 24

run: packages-run web  ## install what is missing, build, start everything with 1,000 simulated devices
	@tools/build.sh release muster
	@exec build/release/src/app/muster serve --data-dir data --simulate $(or $(DEVICES),1000)

build: packages-run web  ## build the product: build/release/src/app/muster
	@tools/build.sh release muster

web: packages-run  ## build the dashboard into web/dist
	@tools/build_web.sh

test: packages-run packages-test web scenario-clients  ## unit, conformance, simulation, scenario, dashboard and layer tests
	@tools/build.sh release all
	@cd build/release && $(CTEST) -LE scale-out

test-scale-out: packages-run packages-test packages-scale-out  ## the ports on real servers, Kafka among them, which is fetched once
	@tools/kafka.sh fetch
	@tools/build.sh release all
	@cd build/release && $(CTEST) -L scale-out

unit:  ## the tests that need no server and no browser
	@tools/build.sh release all
	@cd build/release && $(CTEST) -L 'unit|sim|style'

scenario: web scenario-clients  ## the real binary with real clients and a real browser
	@tools/build.sh release muster
	@cd build/release && $(CTEST) -L scenario

scenario-clients: packages-run
	@tools/install_scenario_clients.sh

scale-out: packages-run packages-scale-out web  ## a cluster on this machine: Kafka, Redis, 3 gateways, 2 processors, 2,000 devices; DEVICES=…
	@tools/build.sh release muster
	@exec tools/scale_out.py --devices $(or $(DEVICES),2000)

asan: packages-run packages-test  ## the unit and simulation tests under the address and undefined-behaviour sanitizers
	@tools/build.sh asan all
	@cd build/asan && $(CTEST) -L 'unit|sim'

tsan: packages-run packages-test  ## the unit tests under the thread sanitizer
	@tools/build.sh tsan all
	@cd build/tsan && TSAN_OPTIONS=suppressions=$(CURDIR)/cmake/tsan.supp:halt_on_error=1 $(CTEST) -L unit

lint: packages-run packages-test packages-lint  ## layers, links, formatting, clang-tidy
	@tools/lint.sh

format: packages-lint  ## clang-format-19 over the tree
	@git ls-files '*.h' '*.cpp' | xargs clang-format-19 -i

sim: packages-run packages-test  ## the seeded simulations; SEED=… plays one, SCENARIO=… one file of tests/sim/scenarios, RUNS=… so many
	@tools/build.sh release muster_sim_test muster_fleet_sim_test
	@$(SIM) build/release/tests/sim/muster_sim_test $(if $(SCENARIO),--gtest_filter=-*)
	@$(SIM) $(if $(SCENARIO),MUSTER_SIM_SCENARIO=$(SCENARIO)) build/release/tests/sim/muster_fleet_sim_test

sim-long: packages-run packages-test  ## 10,000,000 schedules of the presence race: hours
	@tools/build.sh release muster_sim_test
	@MUSTER_SIM_RUNS=10000000 build/release/tests/sim/muster_sim_test --gtest_filter='PresenceRace.seeded*'

fuzz: packages-run packages-lint  ## every fuzz target for SECONDS seconds (60) under libFuzzer
	@tools/fuzz.sh $(or $(SECONDS_EACH),60)

bench: packages-run packages-test packages-bench web  ## CPU, latency and memory beside Debian's mosquitto; ROUNDS=… (3)
	@tools/build.sh release muster_benches
	@/usr/bin/python3 bench/run_gateway_bench.py --load build/release/bench/load/muster_load \
	    --muster build/release/src/app/muster --gateway build/release/bench/muster_gateway_alone \
	    --mosquitto "$$(PATH=$$PATH:/usr/sbin command -v mosquitto)" \
	    --rounds $(or $(ROUNDS),3)

ci:  ## what .ci/run runs
	@.ci/run

packages-%:
	@tools/install_packages.sh $*

clean:  ## remove everything that was built; data/ stays
	@rm -rf build web/dist web/node_modules tests/scenario/js/node_modules
