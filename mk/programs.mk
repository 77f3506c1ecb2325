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
install: cli signal  ## programs, systemd units, group mlsh, user mlsh-signal (PREFIX, DESTDIR)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 build/bin/mlsh build/bin/mlsh-signal $(DESTDIR)$(PREFIX)/bin/
	ln -sf mlsh $(DESTDIR)$(PREFIX)/bin/mlshtund
	install -d $(DESTDIR)$(UNITDIR)
	for unit in mlshtund mlsh-signal; do \
		sed 's|@PREFIX@|$(PREFIX)|' contrib/systemd/$$unit.service \
			>$(DESTDIR)$(UNITDIR)/$$unit.service; \
	done
	if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ] && command -v groupadd >/dev/null; then \
		groupadd --force --system mlsh; \
		id -u mlsh-signal >/dev/null 2>&1 || useradd --system --user-group \
			--home-dir /var/lib/mlsh-signal --shell /usr/sbin/nologin mlsh-signal; \
	fi

.PHONY: cli signal demo install
