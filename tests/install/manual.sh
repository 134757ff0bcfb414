#!/bin/sh
# The manual is whole: each program's page has its options, all of them and no others; each function of the header has its prototype on
# one page and opens that page by its name; each status, value, field and variable is explained; docs/fortran.md has what the module has.
#     manual.sh PREFIX
set -eu
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
prefix=$1
header=$prefix/include/wavelstm.h
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
pages=$(grep -L '^\.so ' "$man3"/*.3)
# Prototypes without spaces: of the header, and of the pages' synopses, from `.Ft TYPE` and `.Fn NAME "ARGUMENT" "ARGUMENT"`.
tr '\n' ' ' < "$header" | grep -o 'WLSTM_API [^;"]*);' | sed 's/^WLSTM_API //; s/ //g' | sort > "$work/header"
for page in $pages; do
    sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/p' "$page" > "$work/synopsis"
    sed -n 's/^\.Ft //p; s/^\.Fn \([a-z_]*\) void$/\1(void);\n/p; /^\.Fn/ { s/^\.Fn \([a-z_]*\) "/\1(/; s/" "/,/g; s/"$/);\n/p; }' \
        "$work/synopsis" | tr -d ' \n' | sed 's/;/;\n/g'
    for function in $(sed -n 's/^\.Fn \([a-z_]*\) .*/\1/p' "$work/synopsis"); do
        grep -q "^\.Nm $function\( ,\)*$" "$page" || fail "$page: its NAME lacks $function"
        [ "$(cat "$man3/$function.3")" = ".so man3/$(basename "$page")" ] || fail "$man3/$function.3: not $(basename "$page")"
    done
done > "$work/unsorted"
sort "$work/unsorted" > "$work/pages"
diff "$work/header" "$work/pages" || fail "functions of $header (<) and of the man pages' synopses (>) differ"

explained() { # explained KIND NAME: some page explains it, alone or in a list
    # shellcheck disable=SC2086
    grep -q "^\.It $1 \(.* \)\{0,1\}$2\( \|$\)" $pages || fail "the man pages do not explain $2"
}
for value in $(sed -n 's/^    \(WLSTM_[A-Z0-9_]*\)\( =.*\)*$/\1/p' "$header"); do explained Dv "$value"; done
for field in $(sed -n '/^typedef struct .*{$/,/^}/s/^    [^;]*[ *]\([a-z_]*\);.*/\1/p' "$header" | sort -u); do explained Fa "$field"; done
for variable in $(grep -o '^ \*     WLSTM_[A-Z_]*' "$header" | sed 's/.* //'); do explained Ev "$variable"; done

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
