#!/bin/sh
# Installs what is missing, builds into build/ and runs the whole test suite. Arguments go to ctest. Fortran and MPI are for the
# tests of the Fortran module and an example; without them CMake leaves those out.
set -eu
cd "$(dirname "$0")/.."
sh scripts/deps.sh gfortran libopenmpi-dev openmpi-bin
cmake -S . -B build -DCMAKE_BUILD_TYPE=Release ${WLSTM_CMAKE_FLAGS:-}
cmake --build build -j "$(nproc)"
ctest --test-dir build -j "$(nproc)" --output-on-failure "$@"
