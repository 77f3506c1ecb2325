# SPDX-License-Identifier: MIT
# Benchmarks: this tunnel beside others in network namespaces, and its packet path alone.

bench_programs := $(B)/release/bench/floor $(B)/release/bench/probe $(B)/release/bench/delay

# Yardsticks are compiled for speed.
# (private: not for the flags file that they depend on.)
$(B)/release/obj/bench/floor.o $(B)/release/obj/bench/probe.o: private release_flags += -O3
$(foreach p,floor probe delay,$(eval $(call link,release,$(B)/release/bench/$(p),\
	$(call objects,release,bench/$(p).c),,)))

$(foreach p,path peers,$(eval $(call link,release,$(B)/release/bench/$(p),\
	$(call objects,release,bench/$(p).c bench/path_os.c) $(call kits,release,unit),\
	$(call program_libs,release,overlay quic membership identity crypto proto base os-linux),\
	$(check_library))))
$(eval $(call link,release,$(B)/release/bench/path_sim,\
	$(call objects,release,bench/path_sim.c $(sim_helpers)) $(call kits,release,sim unit),\
	$(release_layers) $(B)/release/lib/libos-sim.a,$(check_library)))

$(foreach p,relay sessions,$(eval $(call link,release,$(B)/release/bench/$(p),\
	$(call objects,release,bench/$(p).c bench/server.c bench/clients.c) $(call kits,release,unit),\
	$(call program_libs,release,overlay signal quic membership identity crypto proto base os-linux),\
	$(check_library))))

$(eval $(call link,release,$(B)/release/bench/log,\
	$(call objects,release,bench/log.c) $(call kits,release,unit),\
	$(call program_libs,release,client quic membership identity crypto proto base os-linux),\
	$(check_library)))

# "make test" builds them, lest they are left behind when what they measure changes.
programs: $(bench_programs) $(foreach p,path peers path_sim relay sessions log,$(B)/release/bench/$(p))

PEERS ?=
RUNS ?= 3
SECS ?= 2
bench: export PATH := $(CURDIR)/$(B)/bin:$(PATH)
bench: all $(bench_programs)  ## beside other tunnels (root; PEERS="...", RUNS=3, SECS=2)
	@RUNS=$(RUNS) SECS=$(SECS) bench/run $(PEERS)

bench-path: $(B)/release/bench/path  ## what a packet costs from TUN to TUN (SECS=2)
	@$< $(SECS)

# Large batches, then frames that come one by one.
bench-relay: $(B)/release/bench/relay  ## what the relay costs the server a frame (SECS=2)
	@$< $(SECS) 44
	@$< $(SECS) 1

SESSIONS ?= 10000
bench-memory: $(B)/release/bench/peers $(B)/release/bench/sessions  ## of node and server, resident (SESSIONS=10000)
	@$(B)/release/bench/peers 1
	@$(B)/release/bench/peers 100
	@$(B)/release/bench/sessions $(SESSIONS)

MEMBERS ?= 10000
bench-log: $(B)/release/bench/log  ## what the log of a large cluster costs a node (MEMBERS=10000)
	@$< $(MEMBERS)

bench-instructions: $(B)/release/bench/path_sim  ## the same in instructions, alike in each run
	@tools/need valgrind
	@bench/instructions $<

bench-removal: export PATH := $(CURDIR)/$(B)/bin:$(PATH)
bench-removal: all  ## until when a removed node is heard (root; REMOVALS=20, MODES="direct bulk-relay ...")
	@RUNS=$(or $(REMOVALS),20) bench/removal.sh

.PHONY: bench bench-log bench-memory bench-path bench-relay bench-removal bench-instructions
