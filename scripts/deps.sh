#!/bin/sh
# Installs what is missing to build and test wavelstm: Debian's and Ubuntu's packages, as root. Without root, or where there is no
# apt-get, it names what is missing instead. More package names may be given as arguments.
set -eu

missing=
need() { # need COMMAND-OR-FILE PACKAGE
    case $1 in
    */*) for found in $1; do [ -e "$found" ] && return; done ;;
    *) command -v "$1" > /dev/null 2>&1 && return ;;
    esac
    missing="$missing $2"
}
has_package() { dpkg-query -W -f '${Status}' "$1" 2> /dev/null | grep -q 'ok installed'; }

# libdnnl-dev's CMake files look for OpenCL, which its package only recommends.
need gcc gcc
need g++ g++
need make make
need cmake cmake
need pkg-config pkg-config
if command -v dpkg-query > /dev/null 2>&1; then
    for package in libc6-dev libdnnl-dev ocl-icd-opencl-dev libjansson-dev libcmocka-dev libbenchmark-dev "$@"; do
        has_package "$package" || missing="$missing $package"
    done
fi
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null 2>&1; then
    echo "deps.sh: missing:$missing" >&2
    echo "deps.sh: install them (Debian, Ubuntu: sudo apt-get install$missing) and run this again" >&2
    exit 1
fi
echo "deps.sh: installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing > /dev/null
