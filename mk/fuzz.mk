# SPDX-License-Identifier: MIT
# Fuzzing of the parsers with libFuzzer: tests/fuzz/fuzz_NAME.c, kept inputs in
# tests/fuzz/corpus/NAME.

FUZZ ?=
SECONDS ?= 60
SECONDS_BRIEFLY := 1
fuzz_names := $(patsubst fuzz_%,%,$(basename $(notdir $(fuzz_sources))))
fuzz_wanted := $(or $(FUZZ),$(fuzz_names))
fuzz_run = JOBS=$(JOBS) SECONDS_EACH=$(1) tools/fuzz $(fuzz_wanted)

# New inputs go to build/fuzz/corpus, crashes to build/fuzz/crashes.
fuzz: fuzz-programs  ## libFuzzer on each parser (FUZZ=name, SECONDS=60 for each)
	@$(call fuzz_run,$(SECONDS))

# As a part of "make test": enough to notice that a target or its kept corpus is broken.
# A user who may not install clang skips it.
fuzz-briefly:
	+@if tools/need clang clang-fuzzer; then \
		$(MAKE) $(parallel) fuzz-programs && \
			TEST_PART=fuzz $(call fuzz_run,$(SECONDS_BRIEFLY)); \
	else \
		echo "skip - fuzz: clang and libFuzzer are missing (clang, libclang-rt-dev)"; \
		[ -z "$${TEST_RESULTS:-}" ] || \
			echo "fuzz 0 0 $(words $(fuzz_wanted))" >>"$$TEST_RESULTS"; \
	fi

fuzz-programs: fuzz-tools
	+@$(MAKE) $(parallel) $(fuzz_wanted:%=$(B)/fuzz/bin/fuzz_%)

fuzz-tools:
	@tools/need clang clang-fuzzer

# --- growing the kept corpora ---------------------------------------------------------------
# The simulations are linked once more, with a wrapper around each parser that keeps its inputs
# (tests/fuzz/harvest.c). libFuzzer then adds to tests/fuzz/corpus what covers something new,
# together with what earlier runs of "make fuzz" left in build/fuzz/corpus.

harvest_sources := $(filter-out tests/sim/test_signal_cost.c tests/sim/test_tund_slices.c, \
	$(wildcard tests/sim/test_mesh_*.c tests/sim/test_client_*.c \
	tests/sim/test_signal_*.c tests/sim/test_paths_mapping*.c tests/sim/test_tund_*.c))
harvest_programs := $(harvest_sources:tests/%.c=$(B)/harvest/%)

$(B)/harvest/sim/%: $(B)/release/tests/sim/% $(B)/release/obj/tests/fuzz/harvest.o
	@mkdir -p $(@D)
	@echo "  LD   $@"
	@$(release_cc) $(release_ldflags) -o $@ \
		$$(sed -n 's/.* __wrap_\([a-z0-9_]*\)(.*/-Wl,--wrap=\1/p; \
		s/^WRAP([A-Z_]*, [a-z_]*, \([a-z0-9_]*\),.*/-Wl,--wrap=\1/p' \
		tests/fuzz/harvest.c | sort -u) \
		$(call objects,release,tests/sim/$*.c tests/fuzz/harvest.c $(sim_helpers) $(test_support)) \
		$(call kits,release,sim unit) \
		-Wl,--start-group $(release_layers) $(B)/release/lib/libos-sim.a -Wl,--end-group \
		-Wl,--start-group $(check_library) $(release_libs) -Wl,--end-group \
		$(release_cxx_runtime) 2>/dev/null

corpus: $(harvest_programs) fuzz-programs  ## grow the fuzzers' kept inputs from simulations
	@rm -rf $(B)/harvest/inputs && mkdir -p $(B)/harvest/inputs
	@MLSH_HARVEST=$(CURDIR)/$(B)/harvest/inputs \
		tests/run -j $(JOBS) -t 600 harvest $(harvest_programs)
	@tools/fuzz-corpus $(fuzz_wanted)

.PHONY: fuzz fuzz-briefly fuzz-programs fuzz-tools corpus
