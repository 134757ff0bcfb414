#!/bin/sh
# An administrator's cache is found in the prefix that the library, or a program that has it in it, was moved to.
#     system_cache.sh PREFIX WORK SCRIPTS-FOLDER COMPILER [FLAGS]
set -eu
work=$2 scripts=$3 compiler=$4 flags=${5:-}
rm -rf "$work"
mkdir -p "$work"
cp -r "$1" "$work/moved here"
prefix="$work/moved here"
libdir=$(dirname "$(find "$prefix" -name libwavelstm.a)")
# Where what the library itself needs is, if not in the system's folders.
folders=$(PKG_CONFIG_PATH=$libdir/pkgconfig pkg-config --static --libs-only-L wavelstm | sed 's/-L//g; s/ *$//; s/  */:/g')

# Programs of the moved library: the shared one is beside nothing, the static one is in the prefix.
for library in shared static; do
    sh "$scripts/pkg_config.sh" wavelstm $library "$1" "$work/$library" "$scripts/consumer/main.c" "$compiler" "$flags" > /dev/null
done
mv "$work/static" "$prefix/bin/consumer"
run() { # PROGRAM [ARGUMENT]...: with an empty cache of the user's
    WLSTM_CACHE=$work/user WLSTM_VERBOSE=2 WLSTM_NUM_THREADS=1 LD_LIBRARY_PATH=$libdir:$folders:${LD_LIBRARY_PATH:-} "$@" 2>&1
}
expect() { # TEXT PATTERN
    echo "$1" | grep -q "$2" || { printf 'system_cache.sh: "%s" expected, got:\n%s\n' "$2" "$1" >&2; exit 1; }
}

# Nothing there: estimated. What is tuned meanwhile lies elsewhere.
for program in "$work/shared" "$prefix/bin/consumer"; do
    expect "$(run "$program")" '^wavelstm: t3b2i5h4l1: .*, estimated$'
done
"$prefix/bin/wlstm-tune" t3b2i5h4l1 --threads 1 --time-limit 2 --cache "$work/tuned" > "$work/table" 2>&1 || { cat "$work/table"; exit 1; }
mkdir -p "$prefix/etc/wavelstm"
cp "$work/tuned/"*.json "$prefix/etc/wavelstm"

for program in "$work/shared" "$prefix/bin/consumer"; do
    expect "$(run "$program")" '^wavelstm: t3b2i5h4l1: .*, tuned$'
done
expect "$(run "$prefix/bin/wlstm-tune" --list)" "^$(realpath "$prefix")/etc/wavelstm/[0-9a-f]*\.json: read, 1 entry$"
expect "$(run "$prefix/bin/wlstm-tune" --list)" '^t3b2i5h4l1 '
# By a name that is no path, from another folder.
expect "$(cd / && PATH=$prefix/bin:$PATH run wlstm-tune --list)" '^t3b2i5h4l1 '
# Not in order: passed over, in one line.
for file in "$prefix/etc/wavelstm/"*.json; do echo '{' > "$file"; done
expect "$(run "$work/shared")" '^wavelstm: plan cache ignored: '
expect "$(run "$work/shared")" '^wavelstm: t3b2i5h4l1: .*, estimated$'
