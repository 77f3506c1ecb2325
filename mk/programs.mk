# SPDX-License-Identifier: MIT
# The programs. Linked with symbols in build/release/bin, stripped in build/bin.

mlsh_layers := cli tund client overlay quic membership identity proto base os-linux
signal_layers := signal quic membership identity proto base os-linux

$(eval $(call link,release,build/release/bin/mlsh,$(call objects,release,src/cli/main.c),\
	$(call program_libs,release,$(mlsh_layers)),))
$(eval $(call link,release,build/release/bin/mlsh-signal,$(call objects,release,src/signal/main.c),\
	$(call program_libs,release,$(signal_layers)),))

build/bin/%: build/release/bin/%
	@mkdir -p $(@D)
	@$(STRIP) -o $@ $<

build/bin/mlshtund: build/bin/mlsh
	@ln -sf mlsh $@

cli: build/bin/mlsh build/bin/mlshtund  ## the command line and the tunnel daemon (one program)

signal: build/bin/mlsh-signal  ## the signaling server

demo: all  ## a signal server and two nodes in namespaces, from setup to ping (root)
	@tools/demo

PREFIX ?= /usr/local
UNITDIR ?= /etc/systemd/system
install: export PREFIX := $(PREFIX)
install: export UNITDIR := $(UNITDIR)
install: export DESTDIR := $(DESTDIR)
install: cli signal  ## programs, units, group mlsh, user mlsh-signal (PREFIX, UNITDIR, DESTDIR)
	@tools/install
