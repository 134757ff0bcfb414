#!/bin/sh
# The manual is whole as installed: each program's page has its options, all of them and no others; each function of a page's synopsis
# opens that page by its name; docs/fortran.md has what the module has. unit/test_header compares the pages with the header.
#     manual.sh PREFIX
set -eu
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
prefix=$1
failed=0
fail() {
    echo "$*" >&2
    failed=1
}
for program in "$prefix"/bin/wlstm-*; do
    name=$(basename "$program")
    page=$(find "$prefix" -path "*/man1/$name.1")
    [ -n "$page" ] || { fail "$name has no man page"; continue; }
    "$program" --help | grep -o -- '--[a-z][a-z0-9_-]*' | sort -u > "$work/$name.help"
    sed -n 's/^\.It Fl Fl \([a-z][a-z0-9_-]*\).*/--\1/p' "$page" | sort -u > "$work/$name.man"
    diff "$work/$name.help" "$work/$name.man" || fail "$name: options of --help (<) and of $page (>) differ"
done

man3=$(dirname "$(find "$prefix" -path "*/man3/wavelstm.3")")
for page in $(grep -L '^\.so ' "$man3"/*.3); do
    for function in $(sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/s/^\.Fn \([a-z_]*\) .*/\1/p' "$page"); do
        grep -q "^\.Nm $function\( ,\)*$" "$page" || fail "$page: its NAME lacks $function"
        [ "$(cat "$man3/$function.3")" = ".so man3/$(basename "$page")" ] || fail "$man3/$function.3: not $(basename "$page")"
    done
done

sources=$prefix/share/wavelstm/fortran
fortran=$(find "$prefix" -name fortran.md)
{
    sed -n 's/^ *\(procedure\|generic\) :: \([a-z_]*\) =>.*/%\2/p' "$sources"/*.f90
    tr '&\n' '  ' < "$sources/wavelstm.f90" | sed 's/implicit none.*//' | grep -io 'wlstm_[a-z0-9_]*'
} | sort -u > "$work/fortran"
while read -r name; do
    grep -qF "$name" "$fortran" || fail "$fortran: no $name"
done < "$work/fortran"
exit $failed
