#!/bin/sh
# Installs what is missing, builds into build/ and runs the whole test suite. Arguments go to ctest. Fortran, MPI and
# NumPy, which the Fortran module, two examples and the Python package's tests need, are installed as root only: where they are not
# there, CMake leaves those out.
set -eu
cd "$(dirname "$0")/.."
extras=
[ "$(id -u)" -ne 0 ] || extras='gfortran libopenmpi-dev openmpi-bin python3-numpy'
# shellcheck disable=SC2086
sh scripts/deps.sh $extras
cmake -S . -B build -DCMAKE_BUILD_TYPE=Release ${WLSTM_CMAKE_FLAGS:-}
cmake --build build -j "$(nproc)"
ctest --test-dir build -j "$(nproc)" --output-on-failure "$@"
