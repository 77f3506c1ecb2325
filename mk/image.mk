# SPDX-License-Identifier: MIT
# Container images, as OCI archives in dist/. tools/image writes them, without a container engine.

# An image is for all of them. A machine that cannot build for one is told what to leave out.
ARCHS ?= amd64 arm64
signal-image node-image: export CC := $(CC)

signal-image:  ## the server as a container image: dist/mlsh-signal-VERSION.oci.tar (ARCHS="amd64 arm64")
	+@archs=$$(MAKE="$(MAKE) $(parallel)" tools/make-archs linked $(ARCHS)); \
		tools/package-image signal $$archs

node-image:  ## a node as a container image: dist/mlsh-VERSION.oci.tar (ARCHS="amd64 arm64")
	+@archs=$$(MAKE="$(MAKE) $(parallel)" tools/make-archs linked $(ARCHS)); \
		tools/package-image node $$archs

.PHONY: signal-image node-image
