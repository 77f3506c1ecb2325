# SPDX-License-Identifier: MIT
# Container images, as OCI archives in dist/. tools/image writes them, without a container engine.

image_of = dist/$(1)-$(shell tools/version).oci.tar

signal-image: signal  ## the server as a container image: dist/mlsh-signal-VERSION.oci.tar
	@tools/image signal $(call image_of,mlsh-signal) $(ARCH)

node-image: cli  ## a node as a container image: dist/mlsh-VERSION.oci.tar
	@tools/image node $(call image_of,mlsh) $(ARCH)

.PHONY: signal-image node-image
