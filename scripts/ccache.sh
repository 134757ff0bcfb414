# To be sourced in the root of the tree: what is built with the same compiler and the same flags, in whatever folder, is compiled
# once. The compilers by their names, as ccache takes cc for another one than gcc.
export CC="${CC:-gcc}" CXX="${CXX:-g++}" CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
export CCACHE_DIR="${CCACHE_DIR:-$PWD/build-check/ccache}" CCACHE_NOHASHDIR=1
