# SPDX-License-Identifier: MIT
# Tests. Each part ends with a line of counts; "make test" ends with one over all parts.

ifeq ($(CROSS),)
test_parts := lint unit sim replay fuzz model faults programs asan lab
test_builds := all release-tests asan-tests fuzz-programs
program_checks := programs hardening units build manual
else
# The tests of another machine run under an emulator, but for those that the list names.
test_parts := unit sim replay programs
test_builds := all release-tests
program_checks := hardening emulated
test_emulated := -e '$(EMULATOR)' -x tests/emulated.txt
test_left_out := $(shell awk '$$2 == "*" { print "$(B)/release/tests/" $$1 }' tests/emulated.txt)
unit sim replay programs: | emulator
emulator:
	@tools/need $(firstword $(EMULATOR))
.PHONY: emulator
endif
# Limits of time end tests that hang. None is near what a test takes, however busy the machine is.
export CK_TIMEOUT_MULTIPLIER ?= 10

# A sub-make is parallel even when this one was started without -j.
parallel = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))

test:  ## everything: build, lint, unit, sim, replay, fuzz, model, faults, programs, asan, lab
	@mkdir -p $(B) && rm -f $(B)/results $(B)/results.summary
	@$(if $(CROSS),,tests/announce)
	@[ "$$(id -u)" != 0 ] || tools/need --optional $(if $(CROSS),ip unshare,lab) ld.lld
	+@$(MAKE) $(parallel) -k $(test_builds) || true
	+@for part in $(test_parts); do \
		echo "== $$part"; \
		TEST_RESULTS=$(B)/results $(MAKE) $(parallel) test-$$part || true; \
	done
	@echo "== all"
	@tests/run --total $(B)/results $(test_parts)

# Simulations sync real files thousands of times, and there is no power cut to fear: they are kept in
# memory where there is room.
memory_is_roomy = df -k /dev/shm 2>/dev/null | awk 'END { exit !($$4 > 1048576) }'
sim asan: export TMPDIR := $(or $(TMPDIR),$(shell [ -w /dev/shm ] && $(memory_is_roomy) && echo /dev/shm),/tmp)

release-tests: $(filter-out $(test_left_out),$(release_unit) $(release_sim) $(release_replay)) \
	$(if $(CROSS),,$(release_faults))

asan-tests: $(asan_unit) $(asan_sim)

# T=name: programs of that name; CASE=name: tests in them whose names contain it.
ifneq ($(CASE),)
unit sim asan coverage: export MLSH_TEST_CASE := $(CASE)
endif
unit: $(filter-out $(test_left_out),$(release_unit))  ## unit tests (T=name, CASE=test)
	@tests/run $(test_emulated) -j $(JOBS) -t 1200 unit $(release_unit)

# SEED=n: another seed; HOURS=n: that many simulated hours of random mishaps (T=mesh_random).
ifneq ($(SEED),)
sim: export MLSH_SIM_SEED := $(SEED)
endif
ifneq ($(HOURS),)
sim: export MLSH_SIM_HOURS := $(HOURS)
sim: export CK_TIMEOUT_MULTIPLIER := 60
endif
sim: $(filter-out $(test_left_out),$(release_sim))  ## whole meshes on a simulated network (T=name, CASE=test, SEED=n, HOURS=n)
	@tests/run $(test_emulated) -j $(JOBS) -t $(if $(HOURS),7200,1800) sim $(release_sim)

# SEEDS=n: so many, from SEED on.
seeds: $(release_sim)  ## the same with one seed after the other (SEEDS=100, SEED=1, T=name)
	@tests/seeds $(or $(SEEDS),100) $(or $(SEED),1) $(JOBS) $(release_sim)

replay: $(filter-out $(test_left_out),$(release_replay))  ## the fuzz targets over their kept inputs
	@tests/run $(test_emulated) -j $(JOBS) -t 1200 replay $(release_replay)

# One program for all of it; what it makes is in build/model.
model: export JOBS := $(JOBS)
model: export CC := $(CC)
model:  ## who belongs, as a model: spin tries out every order of events
	@tools/need --optional spin
	@tests/run -t 600 model tests/model/run

programs: export B := $(B)
programs: export ARCH := $(ARCH)
programs: all $(if $(CROSS),,$(B)/release/bin/manual)  ## the finished programs, alone in an empty root; their build and installation
	+@tests/run programs $(program_checks:%=tests/%.sh)

# Leaks are errors. The simulation runs slower by an order of magnitude.
asan: export ASAN_OPTIONS := detect_leaks=1:detect_stack_use_after_return=1:abort_on_error=0
asan: export UBSAN_OPTIONS := print_stacktrace=1
asan: export CK_TIMEOUT_MULTIPLIER := 60
asan: asan-tests  ## unit and sim under the address and undefined sanitizers
	@tests/run -j $(JOBS) -t 1800 asan $(asan_unit) $(asan_sim)

# They wait more than they work, so more of them run at a time than there are processors.
lab_jobs := $(shell expr 3 \* $(JOBS))
lab_all = $(filter-out tests/lab/lib%,$(wildcard tests/lab/*$(T)*.sh))
# The longest begin first, so that none of them is what all wait for at the end.
lab_long := $(patsubst %,tests/lab/%.sh,mtu lifecycle recover nat independence roam \
	see membership portmap refused)
lab_scripts = $(filter $(lab_all),$(lab_long)) $(filter-out $(lab_long),$(lab_all))
lab: export PATH := $(CURDIR)/$(B)/bin:$(PATH)
lab: all $(release_lab)  ## whole systems in network namespaces (root; T=name)
	@[ "$$(id -u)" != 0 ] || tools/need --optional lab
	@tests/run -r -j $(lab_jobs) -t 1800 lab $(lab_scripts)

# SCENE=name: one of them; PLACE=text: of it the calls at whose place this is read; PLACE=libraries:
# also the allocations that libraries make, which takes hours. ASAN=1: under the sanitizers, which see
# what was not freed, too, and of the simulated system what was not closed.
faults_program := $(if $(ASAN),$(asan_faults),$(release_faults))
faults: export JOBS := $(JOBS)
faults: export ASAN_OPTIONS := detect_leaks=1:detect_stack_use_after_return=1:abort_on_error=0
faults: export UBSAN_OPTIONS := print_stacktrace=1
faults: $(faults_program)  ## each call of the system and allocation of ours fails, once and forever (SCENE=name, PLACE=text, ASAN=1)
ifneq ($(SCENE)$(PLACE),)
	@$< $(or $(SCENE),all) $(PLACE)
else
	@tests/run -t 1800 faults $<
endif

# Takes many minutes and the network, so "make test" leaves it out.
ROOTS ?= bookworm trixie noble
RUN ?= demo test
roots:  ## the README's two commands in fresh minimal systems (root; ROOTS="noble", RUN="demo")
	@RUN="$(RUN)" tests/roots $(ROOTS)

# What is given to others, as its receivers use it. Outside "make test", whose time is used up.
# DELIVERY: the names of some scripts.
delivery_scripts = $(or $(DELIVERY:%=tests/delivery/%.sh),$(filter-out \
	tests/delivery/lib% tests/delivery/engine%,$(wildcard tests/delivery/*$(T)*.sh)))
delivery: all  ## packages, archives, images: installed, upgraded, removed (root; T=name)
	@[ "$$(id -u)" != 0 ] || tools/need --optional rpmbuild lintian faketime debootstrap
	+@$(MAKE) deb $$(command -v rpmbuild >/dev/null && echo rpm) dist
	+@[ ! -x build/arm64/bin/mlsh-signal ] || MAKE="$(MAKE)" CC="$(CC)" tools/make-archs linked arm64 >/dev/null
	@tests/run -r -t 1800 delivery $(delivery_scripts)

ci:  ## all jobs: test, test ARCH=arm64 and armhf, delivery (root; an hour)
	+@tests/ci

# A part as "make test" runs it.
test-lint: lint-cheap
test-unit: unit
test-sim: sim
test-replay: replay
test-fuzz: fuzz-briefly
test-model: model
test-faults: faults
test-programs: programs
test-asan: asan
test-lab: lab

.PHONY: test release-tests programs asan-tests unit sim seeds replay model asan lab faults roots delivery ci \
	$(test_parts:%=test-%)
