#!/bin/sh
# The man pages are whole: each program's has its options, all of them and no others; wavelstm(3) has every function.
#     manual.sh PREFIX
set -eu
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
prefix=$1
failed=0
for program in "$prefix"/bin/wlstm-*; do
    name=$(basename "$program")
    page=$(find "$prefix" -path "*/man1/$name.1")
    [ -n "$page" ] || { echo "$name has no man page" >&2; failed=1; continue; }
    "$program" --help | grep -o -- '--[a-z][a-z0-9_-]*' | sort -u > "$work/$name.help"
    sed -n 's/^\.It Fl Fl \([a-z][a-z0-9_-]*\).*/--\1/p' "$page" | sort -u > "$work/$name.man"
    diff "$work/$name.help" "$work/$name.man" || { echo "$name: options of --help (<) and of $page (>) differ" >&2; failed=1; }
done
page=$(find "$prefix" -path "*/man3/wavelstm.3")
for function in $(grep -o '^WLSTM_API [^(]*(' "$prefix/include/wavelstm.h" | sed 's/.*[ *]\([a-z_]*\)($/\1/'); do
    grep -q "^\.Fn $function\( \|$\)" "$page" || { echo "$page: no $function" >&2; failed=1; }
done
for variable in $(grep -o '^ \*     WLSTM_[A-Z_]*' "$prefix/include/wavelstm.h" | sed 's/.* //'); do
    grep -q "^\.It Ev $variable$" "$page" || { echo "$page: no $variable" >&2; failed=1; }
done
exit $failed
