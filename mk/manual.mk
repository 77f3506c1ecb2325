# SPDX-License-Identifier: MIT
# Man pages and completions of shells, which are made from the tables of options and kept in the tree.

$(eval $(call link,release,$(B)/release/bin/manual,\
	$(call objects,release,$(wildcard tools/manual/*.c)),\
	$(call program_libs,release,$(layers) os-linux),))

manual: $(B)/release/bin/manual  ## docs/man and contrib/completion, after a change of options or docs/man/src
	@$< docs/man/src docs/man tools/manual contrib/completion

.PHONY: manual
