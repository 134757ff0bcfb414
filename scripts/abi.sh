#!/bin/sh
# Compares what the library exports (functions, types) with the last tag, or before the first tag with packaging/abi/baseline.abi.
# New functions and enumerators pass, all else fails unless packaging/abi/suppressions has it. --update writes the baseline.
set -eu
cd "$(dirname "$0")/.."
baseline=packaging/abi/baseline.abi
work=build-check/abi
mkdir -p build-check

# describe SOURCE BUILD: what the library built from there exports, in BUILD.abi, without types that the header does not define.
describe() {
    "${CMAKE:-cmake}" -S "$1" -B "$2" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS="-ffile-prefix-map=$(realpath "$1")=." \
        -DWLSTM_ONEDNN=OFF -DWLSTM_BUILD_TESTS=OFF -DWLSTM_BUILD_BENCH=OFF -DWLSTM_BUILD_TOOLS=OFF -DWLSTM_BUILD_EXAMPLES=OFF \
        > "$2.log" 2>&1 &&
        "${CMAKE:-cmake}" --build "$2" --target wavelstm_shared -j "$(nproc)" > "$2.log" 2>&1 || { cat "$2.log"; exit 1; }
    abidw --exported-interfaces-only --headers-dir "$1/include" --drop-private-types --no-show-locs --no-corpus-path \
        --no-comp-dir-path --out-file "$2.abi" "$2/libwavelstm.so"
}

describe . $work
if [ "${1:-}" = --update ]; then
    cp $work.abi $baseline
    exit
elif tag=$(git describe --tags --abbrev=0 2> /dev/null); then
    rm -rf $work-base
    mkdir $work-base
    git archive "$tag" | tar -x -C $work-base
    baseline=$work-tag.abi
    describe $work-base $work-tag
    echo "abi.sh: against $tag"
else
    echo "abi.sh: no tag, against $baseline"
fi
abidiff --no-added-syms --suppressions packaging/abi/suppressions $baseline $work.abi
