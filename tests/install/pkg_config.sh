#!/bin/sh
# A program built with what pkg-config says of a package, wavelstm, wavelstm-fortran or wavelstm-mpi, and run.
#     pkg_config.sh PACKAGE shared|static PREFIX PROGRAM SOURCE COMPILER [FLAGS]
set -eu
package=$1 library=$2 prefix=$3 program=$4 source=$5 compiler=$6 flags=${7:-}
pc=$(find "$prefix" -name "$package.pc")
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
libdir=$(pkg-config --variable=libdir wavelstm)
case $library in
shared) libraries=$(pkg-config --libs "$package") ;;
static) libraries=$(pkg-config --static --libs "$package" | sed 's/-lwavelstm\>/-l:libwavelstm.a/') ;;
esac
# shellcheck disable=SC2046,SC2086
"$compiler" $flags -o "$program" "$source" $(pkg-config --cflags "$package") $libraries
needed=$(readelf -d "$program" | grep -c 'NEEDED.*libwavelstm\.so' || true)
case $library:$needed in
shared:1 | static:0) ;;
*) echo "$program: $library link expected, got $needed libwavelstm.so in its header" >&2; exit 1 ;;
esac
# pkg-config says where libraries are to be linked, not where to be found later.
folders=$(pkg-config --static --libs-only-L "$package" | sed 's/-L//g; s/ *$//; s/  */:/g')
LD_LIBRARY_PATH=$folders:$libdir:${LD_LIBRARY_PATH:-} "$program" | tee "$program.out"
grep -qx "h_n[][0]* = *-\{0,1\}0\.[0-9]* by wavelstm $(pkg-config --modversion "$package")" "$program.out"
