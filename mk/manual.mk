# SPDX-License-Identifier: MIT
# Pages that are made from tables of the code and kept in the tree: man pages and completions from
# options, docs/protocol/08-lifecycles.md from states and events.

$(eval $(call link,release,$(B)/release/bin/manual,\
	$(call objects,release,$(wildcard tools/manual/*.c)),\
	$(call program_libs,release,$(layers) os-linux),))

manual: $(B)/release/bin/manual  ## docs/man and contrib/completion, after a change of options or docs/man/src
	@$< docs/man/src docs/man tools/manual contrib/completion

$(eval $(call link,release,$(B)/release/bin/lifecycles,\
	$(call objects,release,$(wildcard tools/lifecycles/*.c)),\
	$(call program_libs,release,client overlay base),))

lifecycles: $(B)/release/bin/lifecycles  ## docs/protocol/08-lifecycles.md, after a change of a table of states
	@$< >docs/protocol/08-lifecycles.md

.PHONY: manual lifecycles
