# SPDX-License-Identifier: MIT
# What is given to others: installation, packages, archives. Their files come into dist/.

install uninstall deb: export PROGRAMS := $(B)/bin
deb: export ARCH := $(ARCH)

# It builds nothing: as root everything would be compiled once more, with root's environment. In
# "make all install" it waits for what is built. tools/install reads PREFIX, DESTDIR and the others
# from its environment.
install: | $(filter all cli signal,$(MAKECMDGOALS))  ## put what make has built in its place (root; PREFIX=, DESTDIR=, ...)
	@tools/install

uninstall:  ## remove just what install has put there (root; PREFIX=, DESTDIR=, ...)
	@tools/install uninstall

deb: all  ## Debian packages mlsh and mlsh-signal, into dist/
	@tools/package-deb

.PHONY: install uninstall deb
