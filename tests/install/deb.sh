#!/bin/sh
# Installs the package, uses it as a stranger would, removes it, and compares the system before and after. As root.
#     deb.sh PACKAGE.deb
set -eu
deb=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
if dpkg-query -W -f '${Status}' wavelstm 2> /dev/null | grep -q 'ok installed'; then
    echo "deb.sh: a system without the package wavelstm expected, it is installed" >&2
    exit 1
fi
work=$(mktemp -d)
trap 'dpkg -P wavelstm > /dev/null 2>&1 || true; rm -r "$work"' EXIT
files() { # what is on the system, without what others change at any time: caches, logs, compiled Python
    find /usr /etc /opt /srv /var /boot -xdev \
        \( -path /var/cache -o -path /var/log -o -path /var/lib/apt -o -path /var/tmp -o -name __pycache__ \) -prune -o -print |
        sort
}

dpkg-deb -I "$deb" | sed -n '/Package:\|Version:\|Depends:\|Installed-Size:/p'
dpkg-deb -c "$deb" > "$work/contents"
for name in usr/bin/wlstm-run usr/bin/wlstm-tune usr/include/wavelstm.h libwavelstm.so.0 libwavelstm.a man1/wlstm-run.1 man3/wavelstm.3 man3/wlstm_forward.3 LICENSE; do
    grep -q "/$name\( \|$\)" "$work/contents" || { echo "deb.sh: $name expected in the package" >&2; exit 1; }
done
for name in libc6 libgomp1 libjansson4; do
    dpkg-deb -f "$deb" Depends | grep -q "$name" || { echo "deb.sh: $name expected in Depends" >&2; exit 1; }
done

files > "$work/before"
dpkg -i "$deb"
wlstm-run --version
ldconfig -p | grep 'libwavelstm\.so\.0'
cc -o "$work/plain" "$here/consumer/main.c" -lwavelstm
"$work/plain"
for library in shared static; do
    echo "CMake, $library:"
    cmake -D SOURCE="$here/consumer/$library" -D WORK="$work/$library" -D PREFIX=/usr -D PROGRAM=consumer -D 'EXPECT=^h_n' \
        -P "$here/consumer.cmake"
    echo "pkg-config, $library:"
    sh "$here/pkg_config.sh" wavelstm "$library" /usr "$work/pkg-$library" "$here/consumer/main.c" cc
done
dpkg -P wavelstm
files > "$work/after"
diff "$work/before" "$work/after" || { echo "deb.sh: the package left (>) or took (<) files" >&2; exit 1; }
if ldconfig -p | grep libwavelstm; then
    echo "deb.sh: the package's library is still in the linker's cache" >&2
    exit 1
fi
echo "deb.sh: removed, nothing left behind"
