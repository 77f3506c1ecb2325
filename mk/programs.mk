# SPDX-License-Identifier: MIT
# The programs. Linked with symbols in build/release/bin, stripped in build/bin.

mlsh_layers := cli tund client overlay quic membership identity crypto proto base os-linux
signal_layers := signal quic membership identity crypto proto base os-linux

# Which commit they are of: a new one compiles this object, and links the programs.
$(B)/commit: FORCE
	@mkdir -p $(@D); commit=$$(tools/version commit); \
		printf '%s\n' "$$commit" | cmp -s - $@ || printf '%s\n' "$$commit" >$@
version := src/base/version/version.c
define with_commit
$(call objects,$(1),$(version)): $(B)/commit
$(call objects,$(1),$(version)): private $(1)_flags += -DMLSH_COMMIT='"$$(shell cat $(B)/commit)"'
endef
$(eval $(call with_commit,release))
$(eval $(call with_commit,debug))

$(eval $(call link,release,$(B)/release/bin/mlsh,\
	$(call objects,release,src/cli/main.c $(version)),\
	$(call program_libs,release,$(mlsh_layers)),))
# Of the layers it takes what the daemon refers to, which is less than mlsh: no TOML, no C++.
$(eval $(call link,release,$(B)/release/bin/mlshtund,\
	$(call objects,release,src/cli/mlshtund/main.c $(version)),\
	$(call program_libs,release,$(mlsh_layers)),))
$(eval $(call link,release,$(B)/release/bin/mlsh-signal,\
	$(call objects,release,src/signal/main.c $(version)),\
	$(call program_libs,release,$(signal_layers)),))

$(B)/bin/%: $(B)/release/bin/%
	@mkdir -p $(@D)
	@$(STRIP) -o $@.$$$$ $< && mv $@.$$$$ $@ || { rm -f $@.$$$$; exit 1; }

cli: $(B)/bin/mlsh $(B)/bin/mlshtund  ## the command line and the tunnel daemon

signal: $(B)/bin/mlsh-signal  ## the signaling server

# What is missing is said before minutes of building.
demo:  ## a signal server and two nodes in namespaces, from setup to a web page (root)
	@tools/demo check
	+@$(MAKE) all
	@tools/demo
