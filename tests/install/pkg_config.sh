#!/bin/sh
# A program built with what pkg-config says, and run.
#     pkg_config.sh shared|static PREFIX PROGRAM SOURCE COMPILER [FLAGS]
set -eu
library=$1 prefix=$2 program=$3 source=$4 compiler=$5 flags=${6:-}
pc=$(find "$prefix" -name wavelstm.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
libdir=$(pkg-config --variable=libdir wavelstm)
case $library in
shared) libraries=$(pkg-config --libs wavelstm) ;;
static) libraries=$(pkg-config --static --libs wavelstm | sed 's/-lwavelstm/-l:libwavelstm.a/') ;;
esac
# shellcheck disable=SC2046,SC2086
"$compiler" $flags -o "$program" "$source" $(pkg-config --cflags wavelstm) $libraries
needed=$(readelf -d "$program" | grep -c 'NEEDED.*libwavelstm\.so' || true)
case $library:$needed in
shared:1 | static:0) ;;
*) echo "$program: $library link expected, got $needed libwavelstm.so in its header" >&2; exit 1 ;;
esac
# pkg-config says where libraries are to be linked, not where to be found later.
folders=$(pkg-config --static --libs-only-L wavelstm | sed 's/-L//g; s/ *$//; s/  */:/g')
LD_LIBRARY_PATH=$folders:$libdir:${LD_LIBRARY_PATH:-} "$program" | tee "$program.out"
grep -qx "h_n\[0\] = -\{0,1\}0\.[0-9]* by wavelstm $(pkg-config --modversion wavelstm)" "$program.out"
