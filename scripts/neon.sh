#!/bin/sh
# The library for 64-bit ARM, cross-compiled and tested under emulation: the NEON kernels on a machine without NEON. Debian with its
# arm64 packages; as root it installs what is missing, for which it makes arm64 a foreign architecture of this system.
set -eu
cd "$(dirname "$0")/.."
if [ "$(id -u)" -eq 0 ] && command -v dpkg > /dev/null 2>&1 && ! dpkg --print-foreign-architectures | grep -qx arm64; then
    dpkg --add-architecture arm64
fi
sh scripts/deps.sh gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user libgomp1:arm64 libjansson-dev:arm64 libcmocka-dev:arm64

build=build-check/neon
mkdir -p build-check
PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig \
    cmake -S . -B "$build" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
    -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DCMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64 \
    -DWLSTM_WERROR=ON -DWLSTM_ONEDNN=OFF -DWLSTM_INSTRUCTION_SETS=baseline -DWLSTM_BUILD_BENCH=OFF -DWLSTM_BUILD_EXAMPLES=OFF
cmake --build "$build" -j "$(nproc)"
# Without the tests that start a second program, which an emulated one cannot, and those that run none of the library's code.
ctest --test-dir "$build" -j "$(nproc)" --output-on-failure -L 'unit|golden|property' \
    -E 'test_environment|test_manners|test_plan_cache|test_precision|test_run$|test_schedule_names|test_thread_count|test_tuning|test_trainer_tuning|unit/test_(header|peers|ranks|scaling|tables)$' "$@"
