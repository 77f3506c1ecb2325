# SPDX-License-Identifier: MIT
# Benchmarks: this tunnel beside others in network namespaces, and its packet path alone.

bench_programs := build/release/bench/floor build/release/bench/probe

# Yardsticks are compiled for speed.
build/release/obj/bench/%.o: release_flags += -O3
$(foreach p,floor probe,$(eval $(call link,release,build/release/bench/$(p),\
	$(call objects,release,bench/$(p).c),,)))

PEERS ?=
RUNS ?= 3
SECS ?= 2
bench: export PATH := $(CURDIR)/build/bin:$(PATH)
bench: all $(bench_programs)  ## beside other tunnels (root; PEERS="...", RUNS=3, SECS=2)
	@RUNS=$(RUNS) SECS=$(SECS) bench/run $(PEERS)

.PHONY: bench
