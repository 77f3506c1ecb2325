# SPDX-License-Identifier: MIT
# Compilers, flags and libraries. Which sysroot: build/config.mk, written by tools/configure.

CC  = $(CROSS)gcc
# The C++ compiler that belongs to CC: of "ccache clang-19" it is "ccache clang++-19".
cc_name = $(notdir $(lastword $(CC)))
CXX = $(if $(findstring clang,$(cc_name)),$(patsubst %$(cc_name),%$(subst clang,clang++,$(cc_name)),$(CC)),$(CROSS)g++)
AR  = $(CROSS)ar
STRIP = $(CROSS)strip
CLANG ?= clang

JOBS ?= $(shell nproc 2>/dev/null || echo 2)

ifeq ($(if $(goals_build),$(shell command -v $(lastword $(CC))),none is called),)
$(shell tools/need $(lastword $(CC)) $(lastword $(CXX)) >&2)
endif

# Warnings stop the build with the compilers of Debian 12, with which mlsh is developed. Others see
# other things in the same lines: what they see is shown.
ifneq ($(goals_build),)
compiler := $(if $(findstring clang,$(cc_name)),clang,gcc)-$(shell $(CC) -dumpversion)
WERROR ?= $(if $(filter gcc-12 gcc-12.% clang-14.%,$(compiler)),-Werror)
endif

# A table whose rows leave out what is zero is fine; clang says otherwise.
warnings := -Wall -Wextra -Wno-missing-field-initializers -Wshadow -Wvla -Wpointer-arith \
	$(WERROR)
c_warnings := $(warnings) -Wswitch-enum -Wmissing-prototypes -Wstrict-prototypes
cxx_warnings := $(warnings)

c_dialect := -std=c17 -D_GNU_SOURCE
cxx_dialect := -std=c++17 -D_GNU_SOURCE

# The folder of the source is in no file that is made: the shell says which one it is.
common_flags := -Isrc -Itests -g -fno-omit-frame-pointer -ffile-prefix-map="$$PWD"=.

# A processor enforces CET and BTI where every object of a program is marked for it. On arm64 all
# are; on amd64 Debian's C library is not, so there is no CET.
hardening := -fstack-protector-strong -fstack-clash-protection \
	-D_FORTIFY_SOURCE=3
ifeq ($(ARCH),amd64)
hardening += -fcf-protection=none
else ifeq ($(ARCH),arm64)
hardening += -mbranch-protection=standard
endif

# 64 bits of time, as Debian's libraries for armhf have it.
ifeq ($(ARCH),armhf)
c_dialect += -D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64
cxx_dialect += -D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64
endif

# Debian's C library for armhf cannot be linked into a program that is loaded anywhere (there is no
# rcrt1.o): such programs are static at a fixed address.
position := -fPIE
static := -static-pie
ifeq ($(ARCH),armhf)
position := -fno-pie
static := -static -no-pie
endif

# Local variables that nobody initialised are zero (tests/unit/test_base_zero.c). clang wants the
# second option for it before version 16.
zero_init := -ftrivial-auto-var-init=zero
zero_init_of = $(zero_init) $(shell $(1) $(zero_init) -fsyntax-only -x c /dev/null 2>/dev/null || \
	echo -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang)
cc_zero_init := $(call zero_init_of,$(CC))
clang_zero_init := $(call zero_init_of,$(CLANG))

# Third-party archives; the linker takes only what is referred to. libcrypto wants the three
# compressors, libsystemd wants libcap.
third_party := -lngtcp2_crypto_ossl -lngtcp2 -lssl -lcrypto \
	-lz -lzstd -lbrotlienc -lbrotlidec -lbrotlicommon \
	-lcares -lsqlite3 -ltinycbor -ljson-c -lmnl -lsystemd -lcap \
	-lseccomp -lcap-ng -lqrcodegen -lsodium
check_library := -lcheck -lsubunit

# A cross compiler looks into its own C library's headers before the sysroot's.
ifneq ($(CROSS),)
compiles_for := $(shell $(CC) -dumpmachine 2>/dev/null)
ifneq ($(compiles_for),$(TRIPLET))
$(error CC=$(CC) compiles for $(or $(compiles_for),nothing), ARCH=$(ARCH) is $(TRIPLET); \
	leave CC out or name $(CROSS)gcc)
endif
c_dialect += -nostdinc
cross_headers := -isystem $(shell $(CC) -print-file-name=include) \
	-isystem $(SYSROOT)/root/usr/include/$(TRIPLET) -isystem $(SYSROOT)/root/usr/include
cxx_dialect += -nostdinc $(shell $(CXX) -E -v -x c++ /dev/null 2>&1 | \
	sed -n 's,^ \(.*/include/c++/.*\),-isystem \1,p')
endif

# Static programs use the sysroot's C library. With --sysroot alone Debian's gcc takes the
# machine's crt1.o and libc.a, hence -B and -L.
ifneq ($(SYSROOT),)
sysroot_flags := --sysroot=$(SYSROOT)/root -B$(SYSROOT)/root/usr/lib/$(TRIPLET)
# clang looks into the sysroot for gcc's own files, too, which are the machine's.
ifneq ($(findstring clang,$(cc_name)),)
sysroot_flags += --gcc-toolchain=/usr
endif
sysroot_flags += $(cross_headers)
sysroot_ldflags := -L$(SYSROOT)/root/usr/lib/$(TRIPLET)
# gcc's own libraries, where the sysroot has them.
sysroot_ldflags += $(patsubst %,-B%,$(wildcard $(SYSROOT)/root/usr/lib/gcc/$(TRIPLET)/*))
# Sanitizers need the machine's own C library: only headers and archives of third parties, and
# a shim for what those archives expect of a newer one.
hosted_flags := -isystem $(SYSROOT)/libs/usr/include \
	-isystem $(SYSROOT)/libs/usr/include/$(TRIPLET)
hosted_ldflags := -L$(SYSROOT)/libs/usr/lib/$(TRIPLET)
hosted_shim := tools/glibc-shim.c
endif

# Hundreds of test programs are linked, and lld takes a quarter of ld's time for one. What is
# installed is linked by ld.
test_linker := $(if $(shell command -v ld.lld 2>/dev/null),-fuse-ld=lld)
# A cross compiler looks for a linker that is called as itself, or in such a folder.
ifneq ($(and $(CROSS),$(test_linker)),)
$(shell mkdir -p $(B)/linker && ln -sf "$$(command -v ld.lld)" $(B)/linker/)
test_linker += -B$(B)/linker
endif

# --- release: static, position independent, hardened ---------------------------------------
release_cc := $(CC)
release_cxx := $(CXX)
# gcc would write down which folder the sysroot is in.
release_flags = $(sysroot_flags) $(common_flags) $(hardening) $(cc_zero_init) -O2 $(position) \
	-ffunction-sections -fdata-sections \
	$(if $(SYSROOT),-ffile-prefix-map="$$(readlink -f $(SYSROOT))"=$(SYSROOT))
# A test's own code is run once and compiled often: a third of the time of -O2 with all of -g.
release_test_flags := -Og -g1
release_ldflags = $(sysroot_flags) $(sysroot_ldflags) $(static) \
	-Wl,-z,relro,-z,now,-z,noexecstack -Wl,--gc-sections
release_libs = $(third_party)
release_cxx_runtime = -lstdc++ -lm -lpthread

# --- asan: address and undefined sanitizers, the machine's C library -----------------------
asan_cc := $(CC)
asan_cxx := $(CXX)
asan_flags = $(hosted_flags) $(common_flags) $(cc_zero_init) -O1 -fsanitize=address,undefined \
	-fno-sanitize-recover=all -DMLSH_ASSERT -g1
# A test's own code is run once and compiled often. What gcc guesses of it without optimization is
# wrong too often; the release build looks for that.
asan_test_flags := -O0 $(if $(findstring clang,$(cc_name)),,-Wno-maybe-uninitialized)
asan_ldflags = $(hosted_ldflags) -fsanitize=address,undefined
asan_libs = -Wl,-Bstatic $(third_party) -Wl,-Bdynamic
asan_cxx_runtime = -lstdc++ -lm -lpthread

# --- debug: for a debugger, with ASSERT, the machine's C library ----------------------------
debug_cc := $(CC)
debug_cxx := $(CXX)
debug_flags = $(hosted_flags) $(common_flags) $(cc_zero_init) -O0 -g3 -DMLSH_ASSERT
debug_ldflags = $(hosted_ldflags)
debug_libs = $(asan_libs)
debug_cxx_runtime = $(asan_cxx_runtime)

# --- coverage: which lines the tests run (gcov) ---------------------------------------------
coverage_cc := $(CC)
coverage_cxx := $(CXX)
coverage_flags = $(hosted_flags) $(common_flags) $(cc_zero_init) -O0 --coverage -DMLSH_ASSERT
coverage_ldflags = $(hosted_ldflags) --coverage
coverage_libs = $(asan_libs)
coverage_cxx_runtime = $(asan_cxx_runtime)

# --- fuzz: libFuzzer with clang -------------------------------------------------------------
fuzz_cc := $(CLANG)
fuzz_cxx := $(CLANG)++
fuzz_fuzzer := yes
fuzz_flags = $(hosted_flags) $(common_flags) $(clang_zero_init) -O1 \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DMLSH_ASSERT
# The driver is of C, toml++ is not: the C++ part of the sanitizers is asked for.
fuzz_ldflags = $(hosted_ldflags) -fsanitize=fuzzer,address,undefined -fsanitize-link-c++-runtime
fuzz_libs = -Wl,-Bstatic $(third_party) -Wl,-Bdynamic
fuzz_cxx_runtime = -lstdc++ -lm -lpthread
