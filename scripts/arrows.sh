#!/bin/sh
# Holds the includes of src/ to docs/architecture.md: a file may include what is in its own folder or in one above it
# in that table, and within most folders no two files need each other, by whatever way round (NAME.c and NAME.h are one).
# Prints each include, or circle, that is wrong.
set -eu
cd "$(dirname "$0")/.."
folders=$(sed -n 's/^| `src\/\([a-z]*\)\/` .*/\1/p' docs/architecture.md)
[ -n "$folders" ] || { echo "arrows.sh: no folders of src/ in docs/architecture.md" >&2; exit 1; }
wrong=$(grep -Hn '^#include "[a-z]*/' -r src | awk -F'[/:"]' -v folders="$(echo $folders)" '
    BEGIN { count = split(folders, list, " "); for (i = 1; i <= count; i++) rank[list[i]] = i }
    !($2 in rank) || !($6 in rank) || rank[$6] > rank[$2] { print }')
for folder in src/*/; do
    echo "$folders" | grep -qx "$(basename "$folder")" || wrong="$wrong $folder is not in docs/architecture.md"
done
# The kernels' headers are pieces of one source.
for folder in base io model reference plan api; do
    circles=$(grep -H "^#include \"$folder/" "src/$folder"/*.[ch] |
        sed "s/^src\/$folder\/\(.*\)\.[ch]:#include \"$folder\/\(.*\)\.h\".*/\1 \2/" | tsort 2>&1 >/dev/null) || true
    [ -z "$circles" ] || wrong="$wrong src/$folder: $circles"
done
[ -z "$wrong" ] || { echo "arrows.sh: against the order of docs/architecture.md:"; echo "$wrong"; exit 1; }
