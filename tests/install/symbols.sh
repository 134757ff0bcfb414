#!/bin/sh
# The shared library exports the header's functions, each with a version, and nothing else; the linker's map names just these.
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
grep -o '^WLSTM_API [^(]*(' "$1/include/wavelstm.h" | sed 's/.*[ *]\([a-z_]*\)($/\1/' | sort > "$work/declared"
diff "$work/declared" "$work/exported" || { echo "declared (<) and exported (>) functions differ" >&2; exit 1; }
sed -n 's/^ *\(wlstm_[a-z_*]*\);$/\1/p' "$2" | sort > "$work/mapped"
diff "$work/declared" "$work/mapped" || { echo "declared (<) and mapped (>) functions differ" >&2; exit 1; }
readelf -d "$library" | grep -q 'SONAME.*\[libwavelstm\.so\.[0-9]*\]'
