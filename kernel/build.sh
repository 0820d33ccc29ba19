#!/bin/sh
# Build the kernel, to the same bytes on every machine:
#   kernel/build.sh PYTHON OUTPUT
# PYTHON has the package ziglang, a C compiler; constraints.txt locks its version.
set -eu
cache="$(mktemp -d)"
trap 'rm -rf "$cache"' EXIT
ZIG_LOCAL_CACHE_DIR="$cache" ZIG_GLOBAL_CACHE_DIR="$cache" "$1" -m ziglang cc \
    -target wasm32-freestanding -msimd128 -mbulk-memory -std=c11 -O2 -Wall -Wextra -Werror \
    -nostdlib -Wl,--no-entry -s -o "$2" "$(dirname "$0")/kernel.c"
chmod 644 "$2"
