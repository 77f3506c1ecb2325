# SPDX-License-Identifier: MIT
# Checks of the source itself. "make test" runs the cheap ones, "make lint" all of them.

lint_cheap := tools/check-layers tools/check-files tools/check-runner tools/check-width \
	tools/check-globals tests/lab/json_documented tools/check-prose tools/check-rules tools/check-format \
	$(B)/lint/headers $(B)/lint/circles $(B)/lint/kits
lint_all := $(lint_cheap) tools/check-shell $(B)/lint/clang

# tests/run passes no arguments, so the flags go into small scripts.
$(B)/lint/headers: $(B)/release/flags tools/check-headers mk/lint.mk
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nexec tools/check-headers %s\n' \
		'$(release_cc) $(c_dialect) $(release_flags) $(c_warnings)' >$@
	@chmod +x $@

# It reads the symbols of what is compiled.
$(B)/lint/circles: $(release_layers) $(foreach l,os-linux os-sim,$(B)/release/lib/lib$(l).a) \
		tools/check-circles
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nexec tools/check-circles\n' >$@
	@chmod +x $@

# What tests share beside all that it is linked with.
kits_beside = $(call kits,release,sim unit) $(release_layers) $(B)/release/lib/libos-sim.a
$(B)/lint/kits: $(kits_beside) tools/check-kits
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nexec tools/check-kits %s\n' '$(kits_beside)' >$@
	@chmod +x $@

$(B)/lint/lifecycles: $(B)/release/bin/lifecycles tools/check-lifecycles
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nexec tools/check-lifecycles $<\n' >$@
	@chmod +x $@

# Fortified headers need the optimizer, which a syntax check has not.
clang_flags = $(hosted_flags) -Isrc -Itests -Wno-unused-command-line-argument
# The environment of tools that call clang.
clang_environment = CLANG="$(CLANG)" C_FLAGS="$(c_dialect) $(clang_flags) $(c_warnings)" \
	CXX_FLAGS="$(cxx_dialect) $(clang_flags) $(cxx_warnings)"
$(B)/lint/clang: $(B)/release/flags tools/check-clang mk/lint.mk
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nexport %s\nexec tools/check-clang\n' '$(clang_environment)' >$@
	@chmod +x $@

lint: $(lint_all)  ## layers, licences, layout, headers, clang, shellcheck
	@tools/need clang clang-format-19
	@tools/need --optional shellcheck
	@tests/run -j $(JOBS) lint $(lint_all)

lint-cheap: $(lint_cheap)
	@tools/need --optional clang-format-19
	@tests/run -j $(JOBS) lint $(lint_cheap)

format:  ## lay out C and C++ as .clang-format says
	@tools/need clang-format-19
	@tools/format

.PHONY: lint lint-cheap format
