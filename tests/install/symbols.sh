#!/bin/sh
# The shared library exports the functions that the linker's map names, each with a version, and nothing else.
#     symbols.sh PREFIX MAP
set -eu
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
library=$(find "$1" -name libwavelstm.so)
exported=$(nm -D --defined-only --with-symbol-versions "$library" | awk '$2 != "A" { print $3 }')
echo "$exported"
bare=$(echo "$exported" | grep -v '^wlstm_[a-z_]*@@WAVELSTM_[0-9.]*$' || true)
[ -z "$bare" ] || { echo "only wlstm_* with a version expected, got: $bare" >&2; exit 1; }
echo "$exported" | sed 's/@@.*//' | sort > "$work/exported"
sed -n 's/^ *\(wlstm_[a-z_*]*\);$/\1/p' "$2" | sort > "$work/mapped"
diff "$work/mapped" "$work/exported" || { echo "mapped (<) and exported (>) functions differ" >&2; exit 1; }
readelf -d "$library" | grep -q 'SONAME.*\[libwavelstm\.so\.[0-9]*\]'
