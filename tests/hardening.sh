#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What the compiler and the linker do against attacks, as it is in the finished files: of this machine,
# or of the ARCH whose build folder is B.
set -uo pipefail

B=${B:-build}
arch=$(tools/arch name "${ARCH:+$ARCH}")
cross=$(tools/arch prefix "$arch")
failed=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

result() { # name, then what is wrong with it (nothing: fine)
	if [ -z "$2" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1: $2"
		failed=1
	fi
}

# mk/flags.mk says why armhf is at a fixed address.
position() { # program
	local type
	type=$(readelf -hW "$1" | awk '$1 == "Type:" { print $2 }')
	case $arch:$type in
	armhf:EXEC) return ;;
	armhf:*) echo "armhf can be loaded anywhere now: see mk/flags.mk" ;;
	*:DYN) readelf -dW "$1" | grep -q 'FLAGS_1.* PIE' || echo "no PIE" ;;
	*) echo "loaded at a fixed address" ;;
	esac
}

linked() { # program
	local headers dynamic
	headers=$(readelf -lW "$1")
	dynamic=$(readelf -dW "$1")
	if grep -q INTERP <<<"$headers"; then echo "wants an interpreter"; fi
	if grep -q '(NEEDED)' <<<"$dynamic"; then echo "wants shared libraries"; fi
	if grep -q '(TEXTREL)' <<<"$dynamic"; then echo "its code is written to"; fi
	if ! grep -q 'GNU_RELRO' <<<"$headers"; then echo "not read-only after its start"; fi
	if [[ $dynamic == *"Dynamic section"* ]] && ! grep -q 'BIND_NOW' <<<"$dynamic"; then
		echo "binds later than at its start"
	fi
	if ! grep -q 'GNU_STACK' <<<"$headers"; then echo "says nothing about its stack"; fi
	if grep -qE 'GNU_STACK.* R?W?E ' <<<"$headers"; then echo "executable stack"; fi
	if grep -qE '^ *(LOAD|GNU_RELRO|TLS).* (RWE|WE|W E) ' <<<"$headers"; then echo "code can be written"; fi
	if readelf -SW "$1" | grep -q '\.debug_info'; then echo "not stripped"; fi
	position "$1"
}

# Branches: what the processor enforces is what all objects are marked for.
branches() { # program
	local marks
	marks=$(readelf -nW "$B/bin/$1" | grep -oE '\b(BTI|PAC|IBT|SHSTK)\b' | sort | paste -sd' ')
	case $arch:$marks in
	"arm64:BTI PAC")
		"${cross}objdump" -d --disassemble=privs_drop "$B/release/bin/$1" >"$scratch/code"
		grep -q paciasp "$scratch/code" || echo "return addresses are not signed"
		;;
	arm64:*) echo "marked \"$marks\" in place of \"BTI PAC\"" ;;
	*:?*) echo "marked \"$marks\": see mk/flags.mk" ;;
	esac
}

# When Debian's C library is marked for CET, ours can be.
unmarked_libc() {
	readelf -nW "$B"/sysroot/root/usr/lib/*/rcrt1.o | grep -oE '\b(IBT|SHSTK)\b'
}

compiled() { # symbol, number of our objects that call it, at least
	local n
	n=$(find "$B/release/obj/src" -name '*.o' -exec nm -A {} + | grep -E " U $1\$" | cut -d: -f1 |
		sort -u | wc -l)
	[ "$n" -ge "$2" ] || echo "only $n objects"
}

# That the check can fail: a program with none of it.
unhardened() {
	local said
	echo 'int main(void) { return 0; }' >"$scratch/main.c"
	"${cross}gcc" -nostdlib -static -no-pie -g -Wl,-z,execstack,-z,norelro,-e,main -o "$scratch/main" \
		"$scratch/main.c" 2>/dev/null
	said=$(linked "$scratch/main" | paste -sd ,)
	[[ $said == "not read-only after its start,executable stack,not stripped"* ]] || echo "it says: $said"
}
result "an unhardened program is found out ($arch)" "$(unhardened)"

for name in mlsh mlshtund mlsh-signal; do
	if [ ! -x "$B/bin/$name" ]; then
		result "$name was built for $arch" "$B/bin/$name is missing"
		continue
	fi
	result "$name ($arch) is static and hardened" "$(linked "$B/bin/$name" | paste -sd ,)"
	result "$name ($arch) has the branches it can have guarded" "$(branches "$name")"
done
if [ "$arch" = amd64 ] && [ -e "$B/sysroot" ]; then
	result "Debian's C library is not marked for CET" "$(unmarked_libc)"
fi
result "functions with buffers check their stack ($arch)" "$(compiled __stack_chk_fail 100)"
result "functions of the C library check lengths ($arch)" "$(compiled '__[a-z_]*_chk' 30)"
exit $failed
