# SPDX-License-Identifier: MIT
# What is given to others: installation, packages, archives. Their files come into dist/.

install uninstall deb rpm dist: export PROGRAMS := $(B)/bin
deb rpm dist: export ARCH := $(ARCH)
deb rpm dist: export LINKED := $(B)/linked

# What of other people's work is in the programs.
given_out := mlsh mlshtund mlsh-signal
$(B)/linked: export SYSROOT := $(SYSROOT)
$(B)/linked: export COMPILE = $(release_cc) $(c_dialect) $(release_flags)
$(B)/linked: export COMPILE_CXX = $(release_cxx) $(cxx_dialect) $(release_flags)
$(B)/linked: $(given_out:%=$(B)/release/bin/%) tools/linked mk/licences
	@tools/need python3
	@echo "  LIST   $@"
	@tools/linked $(given_out:%=$(B)/release/bin/%) >$@.$$$$ && mv $@.$$$$ $@ || \
		{ rm -f $@.$$$$; exit 1; }

linked: all $(B)/linked  ## list what of other people's work is in the programs: build/linked

# It builds nothing: as root everything would be compiled once more, with root's environment. In
# "make all install" it waits for what is built. tools/install reads PREFIX, DESTDIR and the others
# from its environment.
install: | $(filter all cli signal,$(MAKECMDGOALS))  ## put what make has built in its place (root; PREFIX=, DESTDIR=, ...)
	@tools/install

uninstall:  ## remove just what install has put there (root; PREFIX=, DESTDIR=, ...)
	@tools/install uninstall

deb: all $(B)/linked  ## Debian packages mlsh and mlsh-signal, into dist/
	@tools/package-deb

rpm: all $(B)/linked  ## RPM packages of the same, into dist/
	@tools/package-rpm

# Last of all that is given out, so that the sums are those of the packages, too.
dist: all $(B)/linked | $(filter deb rpm signal-image node-image,$(MAKECMDGOALS))  ## archives, what is in them, SHA256SUMS over all in dist/ (SIGN_KEY=file)
	@tools/package-archive
	@tools/package-source
	@tools/sums make

verify-dist:  ## check what is in dist/ against SHA256SUMS and its signature (UNSIGNED=ok)
	@tools/sums verify

.PHONY: linked install uninstall deb rpm dist verify-dist
