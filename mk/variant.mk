# SPDX-License-Identifier: MIT
# Rules for one variant (release, asan, fuzz, debug, coverage), expanded by $(eval $(call variant,NAME)).
#
#   build/NAME/obj/...     objects, with their dependency files
#   build/NAME/lib/...     one archive a layer; libos-linux.a and libos-sim.a exclude each other;
#                          libkit-unit.a and libkit-sim.a are what tests share
#   build/NAME/tests/...   test programs

layers := base proto crypto identity membership quic client overlay tund signal cli

# A program's main.c is in no archive, so that tests can link everything.
layer_sources = $(filter-out %/main.c,$(wildcard src/$(1)/*.c)) $(wildcard src/$(1)/*.cpp) \
	$(foreach r,$(rooms_$(1)),$(wildcard src/$(1)/$(r)/*.c))
# Folders within a layer, one above the other (tools/check-layers).
rooms_overlay := datapath reach peering
os_linux_sources := $(wildcard src/os/*.c src/os/posix/*.c src/os/linux/*.c)
os_sim_sources := $(wildcard src/os/*.c src/os/sim/*.c)
foreach_layer_source := $(foreach l,$(layers),$(call layer_sources,$(l)))

# T=name narrows down unit and simulation tests: make unit T=base_map
unit_sources := $(wildcard tests/unit/test_*$(T)*.c)
sim_sources := $(wildcard tests/sim/test_*$(T)*.c)
# The port's conformance tests: once with each system (tests/os/port_kit.h). The one with os-linux counts
# as a unit test, the one with os-sim as a simulation.
port_sources := $(wildcard tests/os/test_*$(T)*.c)
# What it defines is in place of a function of a layer, so that it is linked as it is.
sim_helpers := tests/sim/stretch.c
# What tests share is compiled once: an archive of the unit tests', and one of the simulations'.
unit_kits := $(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c))
sim_kits := $(filter-out tests/sim/test_% $(sim_helpers),$(wildcard tests/sim/*.c))
kits = $(2:%=$(B)/$(1)/lib/libkit-%.a)
fuzz_sources := $(wildcard tests/fuzz/fuzz_*.c)
test_support := $(wildcard tests/support/*.c)
lab_sources := $(wildcard tests/lab/*.c)
faults_sources := $(wildcard tests/faults/*.c)

# What a unit test is linked with: test_LAYER_*.c with that layer and those below it, others
# with everything.
below_base := base
below_proto := proto base
below_os := os-linux proto base
below_crypto := crypto proto base
below_identity := identity os-linux crypto proto base
below_membership := membership identity os-linux crypto proto base
below_quic := quic $(below_membership)
below_client := client $(below_quic)
below_overlay := overlay $(below_quic)
below_tund := tund client $(below_overlay)
below_signal := signal $(below_quic)
layer_of_test = $(word 2,$(subst _, ,$(notdir $(1))))
layers_of_test = $(or $(below_$(layer_of_test)),$(layers) os-linux)

program_libs = $(2:%=$(B)/$(1)/lib/lib%.a)
objects = $(patsubst %,$(B)/$(1)/obj/%.o,$(basename $(2)))

# Everything is made under another name and renamed: two makes at once do no harm.
atomic_object = -MMD -MP -MF $@.d.$$$$ -MT $@ -c -o $@.$$$$ $< && \
	mv $@.d.$$$$ $(@:.o=.d) && mv $@.$$$$ $@ || { rm -f $@.$$$$ $@.d.$$$$; exit 1; }

define archive
$(B)/$(1)/lib/lib$(2).a: $(call objects,$(1),$(3)) $(B)/$(1)/lib/lib$(2).list
	@rm -f $$@.$$$$$$$$; $$(AR) rcsD $$@.$$$$$$$$ $$(filter %.o,$$^); mv $$@.$$$$$$$$ $$@
$(B)/$(1)/lib/lib$(2).list: FORCE
	@mkdir -p $$(@D); echo '$(3)' | cmp -s - $$@ || echo '$(3)' >$$@
endef

# The linker warns of name services in the static libraries, which nothing here calls
# (tools/check-layers): what it says is shown only when it fails.
# What is given out has a map beside it, which tells what was linked in (tools/linked).
# $(1) variant, $(2) program, $(3) objects of its own, $(4) archives, $(5) more libraries
# What a test replaces by functions of its own (__wrap_NAME) stands in wraps_TEST.
comma := ,
wraps_test_signal_cost := entry_decode key_verify seed_sign
wraps_test_attacks := receipt_verify mlog_take_until
wraps_test_command_kills := recovery_code_new db_commit
wraps_test_command_kills_turn := recovery_code_new db_commit
wraps_test_command_codes := cli_confirm cli_can_ask
wraps_test_command_keys := signal_request_encode
wraps_test_tund_slices := entry_decode key_verify
wraps_test_mlog_take := key_verify
wraps_test_client_log_file := entry_decode
wraps_test_quic_memory := wiped_malloc wiped_realloc die_at
wraps_faults := malloc calloc realloc reallocarray strdup strndup die_at world_trace \
	$(shell awk -F '[^A-Za-z_0-9]' '/^DOES|^MAKES/ { print $$2 }' tests/faults/os.c)
define link
$(2): $(3) $(4) $(if $($(1)_flags),$(B)/$(1)/flags)
	@mkdir -p $$(@D)
	@echo "  LD   $$@"
	@$$($(1)_cc) $$($(1)_ldflags) $(if $(findstring /tests/,$(2)),$$(test_linker)) \
		$(addprefix -Wl$(comma)--wrap=,$(wraps_$(notdir $(2)))) \
		-o $$@.$$$$$$$$ $(3) \
		-Wl,--start-group $(4) -Wl,--end-group \
		-Wl,--start-group $(5) $$($(1)_libs) -Wl,--end-group $$($(1)_cxx_runtime) \
		$(if $(findstring /release/bin/,$(2)),-Wl$(comma)-Map=$$@.$$$$$$$$.map) \
		>$$@.$$$$$$$$.log 2>&1 || { cat $$@.$$$$$$$$.log >&2; rm -f $$@.$$$$$$$$*; exit 1; }; \
		rm -f $$@.$$$$$$$$.log; \
		$(if $(findstring /release/bin/,$(2)),mv $$@.$$$$$$$$.map $$@.map;) mv $$@.$$$$$$$$ $$@
endef

define variant
$(1)_key = $$($(1)_cc) $$($(1)_flags) $$($(1)_test_flags) $$($(1)_ldflags) $$(SYSROOT_KEY)
$(B)/$(1)/flags: FORCE
	@mkdir -p $$(@D)
	@echo '$$($(1)_key)' | cmp -s - $$@ || echo '$$($(1)_key)' >$$@

$(B)/$(1)/obj/%.o: %.c $(B)/$(1)/flags
	@mkdir -p $$(@D)
	@echo "  CC   $$<"
	@$$($(1)_cc) $$(c_dialect) $$($(1)_flags) $$(if $$(filter tests/%,$$<),$$($(1)_test_flags)) \
		$$(c_warnings) $$(atomic_object)

$(B)/$(1)/obj/%.o: %.cpp $(B)/$(1)/flags
	@mkdir -p $$(@D)
	@echo "  CXX  $$<"
	@$$($(1)_cxx) $$(cxx_dialect) $$($(1)_flags) $$(cxx_warnings) $$(atomic_object)

$$(foreach l,$$(layers),$$(eval $$(call archive,$(1),$$(l),$$(call layer_sources,$$(l)))))
$$(eval $$(call archive,$(1),os-linux,$$(os_linux_sources)))
$$(eval $$(call archive,$(1),os-sim,$$(os_sim_sources)))
$$(eval $$(call archive,$(1),kit-unit,$$(unit_kits)))
$$(eval $$(call archive,$(1),kit-sim,$$(sim_kits)))

$(1)_shim := $$(if $$(filter-out release,$(1)),$$(call objects,$(1),$$(hosted_shim)))
$(1)_layers := $$(call program_libs,$(1),$$(layers))

$(1)_unit := $$(unit_sources:tests/%.c=$(B)/$(1)/tests/%) $$(port_sources:tests/os/%.c=$(B)/$(1)/tests/os/linux/%)
$(1)_sim := $$(sim_sources:tests/%.c=$(B)/$(1)/tests/%) $$(port_sources:tests/os/%.c=$(B)/$(1)/tests/os/sim/%)
$(1)_replay := $$(fuzz_sources:tests/fuzz/%.c=$(B)/$(1)/tests/replay/%)

$$(foreach t,$$(unit_sources),$$(eval $$(call link,$(1),$$(t:tests/%.c=$(B)/$(1)/tests/%),\
	$$(call objects,$(1),$$(t) $$(test_support)) $$($(1)_shim),\
	$$(call kits,$(1),unit) $$(call program_libs,$(1),$$(call layers_of_test,$$(t))),$$(check_library))))

$$(foreach t,$$(sim_sources),$$(eval $$(call link,$(1),$$(t:tests/%.c=$(B)/$(1)/tests/%),\
	$$(call objects,$(1),$$(t) $$(sim_helpers) $$(test_support)) $$($(1)_shim),\
	$$(call kits,$(1),sim unit) $$($(1)_layers) $(B)/$(1)/lib/libos-sim.a,$$(check_library))))

$$(foreach t,$$(port_sources),$$(eval $$(call link,$(1),$$(t:tests/os/%.c=$(B)/$(1)/tests/os/linux/%),\
	$$(call objects,$(1),$$(t) tests/os/port_linux.c $$(test_support)) $$($(1)_shim),\
	$$(call kits,$(1),unit) $$(call program_libs,$(1),$$(below_os)),$$(check_library))))
$$(foreach t,$$(port_sources),$$(eval $$(call link,$(1),$$(t:tests/os/%.c=$(B)/$(1)/tests/os/sim/%),\
	$$(call objects,$(1),$$(t) tests/os/port_sim.c $$(test_support)) $$($(1)_shim),\
	$$(call kits,$(1),sim unit) $$($(1)_layers) $(B)/$(1)/lib/libos-sim.a,$$(check_library))))

$(1)_faults := $(B)/$(1)/tests/faults/faults
$$(eval $$(call link,$(1),$$($(1)_faults),\
	$$(call objects,$(1),$$(faults_sources) $$(sim_helpers)) $$($(1)_shim),\
	$$(call kits,$(1),sim unit) $$($(1)_layers) $(B)/$(1)/lib/libos-sim.a,$$(check_library)))

$$(foreach t,$$(fuzz_sources),$$(eval $$(call link,$(1),$$(t:tests/fuzz/%.c=$(B)/$(1)/tests/replay/%),\
	$$(call objects,$(1),$$(t) tests/fuzz/replay.c) $$($(1)_shim),\
	$$($(1)_layers) $(B)/$(1)/lib/libos-linux.a,)))

$(1)_lab := $$(lab_sources:tests/lab/%.c=$(B)/$(1)/lab/%)
$$(foreach t,$$(lab_sources),$$(eval $$(call link,$(1),$$(t:tests/lab/%.c=$(B)/$(1)/lab/%),\
	$$(call objects,$(1),$$(t)) $$($(1)_shim),\
	$$($(1)_layers) $(B)/$(1)/lib/libos-linux.a,)))

ifneq ($$($(1)_fuzzer),)
$$(foreach t,$$(fuzz_sources),$$(eval $$(call link,$(1),$$(t:tests/fuzz/%.c=$(B)/$(1)/bin/%),\
	$$(call objects,$(1),$$(t)) $$($(1)_shim),\
	$$($(1)_layers) $(B)/$(1)/lib/libos-linux.a,)))
endif

-include $$(shell find $(B)/$(1)/obj -name '*.d' 2>/dev/null)
endef
