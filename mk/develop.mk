# SPDX-License-Identifier: MIT
# For those who change the code: an index for editors, builds for debuggers, coverage, analysis.

compdb:  ## compile_commands.json, for clangd and other editors' helpers
	@$(clang_environment) tools/compdb compile_commands.json

# The programs, and with T=name the unit tests and simulations of that name.
$(eval $(call link,debug,$(B)/debug/bin/mlsh,\
	$(call objects,debug,src/cli/main.c $(version)) $(debug_shim),\
	$(call program_libs,debug,$(mlsh_layers)),))
$(eval $(call link,debug,$(B)/debug/bin/mlsh-signal,\
	$(call objects,debug,src/signal/main.c $(version)) $(debug_shim),\
	$(call program_libs,debug,$(signal_layers)),))
$(B)/debug/bin/mlshtund: $(B)/debug/bin/mlsh
	@ln -sf mlsh $@

debug: $(B)/debug/bin/mlshtund $(B)/debug/bin/mlsh-signal  ## build/debug: -O0 -g3, ASSERT (T=name: tests, too)
ifneq ($(T),)
debug: $(debug_unit) $(debug_sim)
endif

# A failed test does not spoil the figures, so the table comes in any case.
coverage: $(coverage_unit) $(coverage_sim)  ## lines that unit tests and simulations run (T=name)
	@find $(B)/coverage/obj -name '*.gcda' -delete
	@tests/run -j $(JOBS) -t 1800 coverage $(coverage_unit) $(coverage_sim) || true
	@tools/coverage $(B)/coverage

analyze:  ## clang's static analyzer over all of src (FILES="src/...")
	@tools/need clang
	@$(clang_environment) tools/analyze $(FILES)

.PHONY: compdb debug coverage analyze
