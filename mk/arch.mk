# SPDX-License-Identifier: MIT
# "make ARCH=arm64" builds for another machine, in build/arm64. Without ARCH, or with this machine's
# own, everything is in build/. $(B) is that folder.

B := build
ifneq ($(filter command environment,$(firstword $(origin ARCH))),)
B := $(shell tools/arch folder '$(ARCH)')
ifeq ($(B),)
$(error nothing was built)
endif
endif

ifneq ($(B),build)
# What runs programs in this machine's own namespaces, or builds with clang.
own_goals := asan bench bench-% corpus coverage debug manual demo fuzz lab lint lint-cheap model roots \
	seeds compdb analyze lifecycles
ifneq ($(filter $(own_goals),$(MAKECMDGOALS)),)
$(error "make $(firstword $(filter $(own_goals),$(MAKECMDGOALS)))" is for this machine's own \
	architecture; leave ARCH=$(ARCH) out)
endif
endif
