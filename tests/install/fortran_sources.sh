#!/bin/sh
# The Fortran module compiled from its installed sources, as docs/fortran.md says, and a program with it.
#     fortran_sources.sh PREFIX WORK PROGRAM.f90 COMPILER [FLAGS]
set -eu
prefix=$1 work=$2 source=$3 compiler=$4 flags=${5:-}
pc=$(find "$prefix" -name wavelstm.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
rm -rf "$work"
mkdir -p "$work"
cd "$work"
for name in wavelstm_c wavelstm_common wavelstm_cell wavelstm_lstm wavelstm_streams wavelstm_trainer wavelstm; do
    # shellcheck disable=SC2086
    "$compiler" $flags -fopenmp -c "$prefix/share/wavelstm/fortran/$name.f90"
done
# shellcheck disable=SC2046,SC2086
"$compiler" $flags -o program "$source" ./*.o $(pkg-config --libs wavelstm)
folders=$(pkg-config --static --libs-only-L wavelstm | sed 's/-L//g; s/ *$//; s/  */:/g')
LD_LIBRARY_PATH=$folders:$(pkg-config --variable=libdir wavelstm):${LD_LIBRARY_PATH:-} ./program | tee output
grep -qx "h_n = *-\{0,1\}0\.[0-9]* by wavelstm $(pkg-config --modversion wavelstm)" output
