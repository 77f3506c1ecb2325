# SPDX-License-Identifier: MIT
# The libraries: build/config.mk says where they are, and fetching them is a side effect of
# making it.

$(B)/config.mk: tools/configure tools/sysroot tools/arch mk/architectures mk/packages $(wildcard mk/deps.lock)
	@tools/configure $@ $(ARCH)

# The cache may have been emptied since, and MLSH_LOCKED=1 asks for another sysroot. make begins
# again once it has made the file; it must not do so forever.
ifneq ($(SYSROOT),)
ifeq ($(wildcard $(SYSROOT)/root),)
config_is := old
endif
endif
ifneq ($(LOCKED),$(or $(MLSH_LOCKED),0))
config_is := old
endif
ifeq ($(config_is),old)
ifneq ($(MAKE_RESTARTS),)
ifneq ($(LOCKED),)
$(error the libraries are not where tools/configure puts them ($(SYSROOT)); try: make clean)
endif
endif
$(B)/config.mk: FORCE
endif

deps: $(B)/config.mk  ## fetch the libraries and tools that the build needs
	@tools/need $(CROSS)gcc $(CROSS)g++ $(CROSS)ar $(CROSS)strip $(if $(CROSS),,libc-headers)

deps-lock:  ## renew the list of library versions (mk/deps.lock)
	@tools/sysroot lock

.PHONY: deps deps-lock
