#!/bin/sh
# wavelstm.h compiles alone, and with a program that uses its initialisers, in each standard with all warnings as errors.
#     header.sh INCLUDE-FOLDER SCRIPTS-FOLDER C-COMPILER [C++-COMPILER]
set -eu
warnings='-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Werror'
for source in "$1/wavelstm.h" "$2/header.c"; do
    for standard in c99 c11 c17; do
        "$3" -x c -std=$standard $warnings -Wstrict-prototypes -I"$1" -fsyntax-only "$source"
        echo "$standard: $source"
    done
    if [ -n "${4:-}" ]; then
        "$4" -x c++ -std=c++17 $warnings -Wold-style-cast -I"$1" -fsyntax-only "$source"
        echo "c++17: $source"
    fi
done
