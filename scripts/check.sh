#!/bin/sh
# What CI checks beyond scripts/test.sh, each in a build folder of its own below build-check/: the includes of src/, warnings as
# errors with gcc and clang, the suite under AddressSanitizer and UBSan, what runs threads under ThreadSanitizer, with oneDNN
# 3.2, without oneDNN, with Debian's own cmake, on every instruction set this machine has and compiled for it alone, on NEON by
# emulation, wlstm-run and the Python package against PyTorch, wavelstm-convert; the manual, the ABI, the recipes; the
# .deb installed and removed (as root), the wheel installed. One name as an argument runs that check alone.
set -eu
cd "$(dirname "$0")/.."
jobs=$(nproc)
sh scripts/deps.sh git ccache clang clang-format libomp-dev gfortran libopenmpi-dev openmpi-bin python3-numpy

. scripts/ccache.sh
# There are more threads than cores: those that wait are to leave theirs. Under scripts/test.sh they wait as OpenMP has it.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
# What compiles much and gains nothing from another compiler, and units that always run each instruction set's kernels.
installs='install/(examples|subdirectory)$'
units='unit/test_(activations|closed_gates|native_.*)$'

# x86_sets SETS: those, where the machine may have them
x86_sets() { [ "$(uname -m)" != x86_64 ] || echo "$1"; }
# build FOLDER CMAKE-FLAGS...; only $target, if that is set
target=
build() {
    folder=build-check/$1
    shift
    "${CMAKE:-cmake}" -S . -B "$folder" -DWLSTM_WERROR=ON "$@" > "$folder.log" 2>&1 || { cat "$folder.log"; exit 1; }
    "${CMAKE:-cmake}" --build "$folder" -j "$jobs" ${target:+--target "$target"} > "$folder.log" 2>&1 || { cat "$folder.log"; exit 1; }
}
# suite FOLDER CTEST-ARGUMENTS...
suite() {
    folder=build-check/$1
    shift
    ctest --test-dir "$folder" -j "$jobs" --output-on-failure "$@"
}

check_format() {
    files=$(git ls-files '*.c' '*.h' '*.cc' '*.hpp')
    [ -n "$files" ] && echo "$files" | xargs clang-format --dry-run -Werror
}
check_arrows() { sh scripts/arrows.sh; }
check_gcc() { build gcc -DCMAKE_C_COMPILER=gcc; }
check_clang() {
    build clang -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DWLSTM_ONEDNN=OFF
    suite clang -E "$installs"
}
check_sanitizers() {
    flags='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g'
    build sanitizers -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags" -DCMAKE_Fortran_FLAGS="$flags" \
        -DWLSTM_INSTRUCTION_SETS="$(x86_sets avx2)"
    # libgomp keeps its threads' memory to the end.
    LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0 suite sanitizers -LE install -E 'examples/.*train'
}
# Each fuzz target for so many seconds, its seed printed; what is found stays in build-check/fuzz-NAME, to be put into tests/fuzz/corpus
# by tests/fuzz/make_corpus.py. OpenMP is LLVM's, whose runtime keeps less memory to the end than libgomp's threads. The kernels and the
# reference are compiled without it all: a fuzzer looks for no way through them. A run's limit is by the clock, which others share.
check_fuzz() {
    sh scripts/deps.sh llvm libclang-rt-14-dev
    flags='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g'
    target=fuzzers
    build fuzz -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_C_FLAGS="$flags" -DWLSTM_ONEDNN=OFF \
        -DWLSTM_BUILD_BENCH=OFF -DWLSTM_BUILD_EXAMPLES=OFF -DWLSTM_BUILD_FORTRAN=OFF
    target=
    seconds=${FUZZ_SECONDS:-30}
    for corpus in tests/fuzz/corpus/*; do
        name=$(basename "$corpus")
        seed=$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')
        kept=build-check/fuzz-$name
        mkdir -p "$kept"
        echo "fuzz_$name: seed $seed, $seconds seconds"
        TMPDIR=$([ -w /dev/shm ] && echo /dev/shm || echo /tmp) WLSTM_CACHE=off ASAN_OPTIONS=allocator_may_return_null=1 \
            LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0 \
            build-check/fuzz/tests/fuzz_"$name" -seed="$seed" -max_total_time="$seconds" -timeout=120 -rss_limit_mb=4096 \
            -malloc_limit_mb=2048 -max_len=4096 -artifact_prefix="$kept/" -print_final_stats=1 "$kept" "$corpus" \
            > "$kept.log" 2>&1 || { tail -n 60 "$kept.log"; exit 1; }
        grep -E '^stat::number_of_executed_units' "$kept.log"
    done
}
# What is read before it is written: tests of files, refusals, streams and training, and the golden ones, on the baseline's vectors, as
# valgrind knows none of the widest. Its blocks of instructions are to be small: those of whole loops of kernels are more than it has
# room for.
check_valgrind() {
    sh scripts/deps.sh valgrind
    check_gcc
    data=tests/golden/data
    valgrind='valgrind -q --error-exitcode=1 --vex-guest-max-insns=25'
    printf '%s\n' test_api test_compact test_files test_missing_tensors test_npy test_plan_cache_text test_refusals test_safetensors \
        test_scratch test_stream_refusals test_struct_size test_tensor_read test_tensor_shapes test_trainer_file test_trainer_refusals \
        test_stream_rows test_streaming "test_golden $data" "test_golden $data/rounded" \
        "test_gradients $data/gradients.safetensors" "test_optimizers $data/optimizers.safetensors" "test_products $data/rounded" |
        WLSTM_CACHE=off WLSTM_ISA=baseline xargs -P "$jobs" -I@ \
            sh -c "printed=\$($valgrind build-check/gcc/tests/@ 2>&1) || { echo \"\$printed\"; exit 1; }"
}
# Lines and branches of src/ that the suite reaches. Counters are atomic: else gcc may take one for a loop's variable, and two threads
# compute wrong results. Optimised as far as lines stay what they are: without it kernels take minutes. What measures is left out. Of
# branches the kernels' headers are left out: each of their lines has those of constants in hundreds of places that it is inlined at.
check_coverage() {
    venv=build-check/coverage-venv
    sh scripts/deps.sh python3-venv
    [ -e "$venv/bin/gcovr" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install -q gcovr==8.3; }
    build coverage -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG='-Og -g' \
        -DCMAKE_C_FLAGS='--coverage -fprofile-update=atomic' -DWLSTM_WERROR=OFF -DWLSTM_BUILD_EXAMPLES=OFF
    find build-check/coverage -name '*.gcda' -delete
    GCOV_ERROR_FILE=/dev/null suite coverage -LE 'install|bench|tune' # a test lets no file grow
    "$venv/bin/gcovr" -r . --filter src/ --merge-mode-functions=separate --json build-check/coverage.json \
        --txt build-check/coverage.txt --print-summary build-check/coverage
    "$venv/bin/gcovr" -r . -a build-check/coverage.json --exclude 'src/kernels/.*\.h' --txt-metric branch \
        --txt build-check/coverage-branches.txt --print-summary
}
# With Archer, which tells ThreadSanitizer what OpenMP's constructs order; on the baseline's vectors, as it does not see accesses of
# more than 16 bytes. fault/race is a race that must be found.
check_tsan() {
    sh scripts/deps.sh llvm libclang-rt-14-dev
    flags='-fsanitize=thread -O1 -g'
    build tsan -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags" \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo -DWLSTM_ONEDNN=OFF -DWLSTM_BUILD_BENCH=OFF -DWLSTM_BUILD_EXAMPLES=OFF \
        -DWLSTM_BUILD_FORTRAN=OFF -DWLSTM_BUILD_MPI=OFF -DWLSTM_INSTRUCTION_SETS=baseline
    archer=$(dirname "$(clang -print-file-name=libomp.so)")/libarcher.so
    [ -e "$archer" ] || archer=$(ls /usr/lib/llvm-*/lib/libarcher.so | tail -n 1)
    options="ignore_noninstrumented_modules=1 suppressions=$PWD/tests/tsan.supp die_after_fork=0"
    OMP_TOOL_LIBRARIES=$archer TSAN_OPTIONS=$options \
        suite tsan -L 'golden|property|fault' --timeout 300
}
check_onednn3() {
    venv=build-check/onednn3-venv
    if [ ! -e "$venv/lib/cmake/dnnl" ]; then
        sh scripts/deps.sh python3-venv
        python3 -m venv "$venv"
        "$venv/bin/pip" install -q onednn-cpu-gomp==2023.2.0 onednn-devel-cpu-gomp==2023.2.0
    fi
    # What is installed is told where oneDNN is, which CMake does by itself only for folders outside the source tree.
    build onednn3 -Ddnnl_DIR="$PWD/$venv/lib/cmake/dnnl" -DCMAKE_INSTALL_RPATH="$PWD/$venv/lib"
    suite onednn3 -L 'unit|golden|property|fault|install' -E "$installs|$units"
}
# $venv, which has PyTorch and all that is compared with it, whichever check comes first
torch_venv() {
    venv=build-check/torch-venv
    sh scripts/deps.sh python3-venv
    [ -e "$venv/bin/python" ] || python3 -m venv "$venv"
    "$venv/bin/pip" install -q torch==2.13.0
    "$venv/bin/pip" install -q numpy safetensors expecttest threadpoolctl onnx==1.23.2 onnxscript onnxruntime==1.32.0 h5py \
        keras==3.15.1
}
# wlstm-run against PyTorch itself, on models and inputs made on the spot, and PyTorch's own checks on the Python package,
# installed by pip; docs/pytorch.md must have their results.
check_pytorch() {
    torch_venv
    "$venv/bin/pip" install -q --force-reinstall --no-deps ./python
    "$venv/bin/python" -B tests/install/consumer/one_runtime.py
    build gcc -DCMAKE_C_COMPILER=gcc
    "$venv/bin/python" tests/golden/check_run.py build-check/gcc/bin/wlstm-run
    "$venv/bin/python" tests/golden/check_pytorch.py --doc docs/pytorch.md
    git diff --exit-code docs/pytorch.md
}
# wavelstm-convert on what torch, onnx and keras make on the spot.
check_convert() {
    torch_venv
    build gcc -DCMAKE_C_COMPILER=gcc
    WLSTM_CACHE=off PYTHONPATH=python WAVELSTM_LIBRARY=build-check/gcc/libwavelstm.so \
        "$venv/bin/python" -B tests/golden/check_convert.py
}
# What a precision costs trained models, whose wheels carry their weights; on its own only, as it downloads much.
check_models() {
    wheels=build-check/models-wheels
    torch_venv
    "$venv/bin/pip" download -q --no-deps -d "$wheels" silero-vad==6.2.3 Resemblyzer==0.1.4
    build gcc -DCMAKE_C_COMPILER=gcc
    WLSTM_CACHE=off PYTHONPATH=python WAVELSTM_LIBRARY=build-check/gcc/libwavelstm.so \
        "$venv/bin/python" -B bench/models.py "$wheels" --json build-check/models.json
}
check_isas() {
    check_gcc
    for isa in baseline avx2; do WLSTM_ISA=$isa suite gcc -L 'unit|golden|property' -E "$units|test_guard_pages_"; done
    # The kernels' own flags beside those that some package managers' compilers add to every file.
    build march -DCMAKE_C_FLAGS=-march=native -DWLSTM_INSTRUCTION_SETS="$(x86_sets 'avx2;avx512')" -DWLSTM_BUILD_BENCH=OFF \
        -DWLSTM_BUILD_EXAMPLES=OFF -DWLSTM_BUILD_FORTRAN=OFF
    suite march -L 'unit|golden'
}
check_neon() { sh scripts/neon.sh; }
check_debian_cmake() {
    sh scripts/deps.sh cmake
    CMAKE=/usr/bin/cmake build debian-cmake -DWLSTM_INSTRUCTION_SETS=baseline
    suite debian-cmake -L install
}
check_manual() {
    sh scripts/deps.sh doxygen mandoc groff-base
    mandoc -Tlint -Wwarning docs/man/*
    for page in docs/man/*; do
        printed=$(groff -mdoc -ww -z "$page" 2>&1)
        [ -z "$printed" ] || { echo "$printed"; exit 1; }
    done
    build gcc -DCMAKE_C_COMPILER=gcc
    "${CMAKE:-cmake}" --build build-check/gcc --target docs
}
check_abi() { sh scripts/deps.sh abigail-tools && sh scripts/abi.sh; }
# In each Python that is named, and in a system of its own (as root).
check_wheel() {
    [ "$(id -u)" -ne 0 ] || sh scripts/deps.sh debootstrap
    sh scripts/wheel.sh
    # shellcheck disable=SC2086
    sh tests/install/wheel.sh build-wheel/dist ${PYTHONS:-python3}
}
check_recipes() {
    venv=build-check/recipes-venv
    sh scripts/deps.sh python3-venv
    [ -e "$venv/bin/python" ] || python3 -m venv "$venv"
    "$venv/bin/pip" install -q py-rattler-build==0.73.0
    "$venv/bin/python" packaging/check_recipes.py
}
check_package() {
    sh scripts/deps.sh dpkg-dev file
    build package -DWLSTM_BUILD_TESTS=OFF -DWLSTM_BUILD_EXAMPLES=OFF -DCMAKE_INSTALL_PREFIX=/usr
    (cd build-check/package && rm -f ./*.deb && cpack -G DEB)
    sh tests/install/deb.sh build-check/package/wavelstm_*.deb
}

mkdir -p build-check
for name in ${1:-format arrows gcc clang sanitizers tsan onednn3 isas neon debian_cmake manual abi recipes package wheel pytorch convert}; do
    echo "check.sh: $name"
    "check_$name"
done
