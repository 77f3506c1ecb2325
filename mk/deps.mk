# SPDX-License-Identifier: MIT
# The libraries: build/config.mk says where they are, and fetching them is a side effect of
# making it.

build/config.mk: tools/configure tools/sysroot mk/packages $(wildcard mk/deps.lock)
	@tools/configure $@

# The cache may have been emptied since.
ifneq ($(SYSROOT),)
ifeq ($(wildcard $(SYSROOT)/root),)
build/config.mk: FORCE
endif
endif

deps: build/config.mk  ## fetch the libraries and tools that the build needs
	@tools/need gcc g++ ar strip libc-headers

deps-lock:  ## renew the list of library versions (mk/deps.lock)
	@tools/sysroot lock

.PHONY: deps deps-lock
