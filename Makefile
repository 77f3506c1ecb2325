# SPDX-License-Identifier: MIT
# mlsh's front door: "make help" lists what there is. The rules live in mk/.

all: cli signal  ## build everything (the default)

MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
# Numbers, sorting and messages of tools are the same in every language.
export LC_ALL := C.UTF-8
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
FORCE:
.PHONY: FORCE all

include mk/arch.mk

# These need no compiler and no library.
bare_goals := help clean distclean deps-lock format install uninstall verify-dist
goals_build := $(filter-out $(bare_goals),$(or $(MAKECMDGOALS),all))
ifneq ($(goals_build),)
include $(B)/config.mk
endif

include mk/flags.mk mk/variant.mk
$(eval $(call variant,release))
ifeq ($(B),build)
$(eval $(call variant,asan))
$(eval $(call variant,fuzz))
endif
# These two cost time when the Makefile is read, so they exist only when a goal names them.
$(foreach v,debug coverage,$(if $(findstring $(v),$(MAKECMDGOALS)),$(eval $(call variant,$(v)))))
include mk/programs.mk mk/manual.mk mk/package.mk mk/image.mk mk/tests.mk mk/fuzz.mk mk/bench.mk mk/lint.mk \
	mk/develop.mk mk/deps.mk

help:  ## this list
	@tools/help Makefile mk/*.mk

clean:  ## remove what was built (the fetched libraries stay)
	@if [ -d $(B) ]; then find $(B) -mindepth 1 -maxdepth 1 ! -name cache -exec rm -rf {} +; fi

.PHONY: help clean
