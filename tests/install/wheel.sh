#!/bin/sh
# The wheels of scripts/wheel.sh installed as users would: in a fresh venv of each Python, which takes the one for it, and where the
# package's tests run on it too; and, as root with debootstrap, in a Debian of its own that has neither a compiler nor an OpenMP runtime.
#     wheel.sh FOLDER [PYTHON...]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
wheels=$(realpath "$1")
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset WAVELSTM_LIBRARY PYTHONPATH

for python in "$@"; do
    "$python" -m venv "$work/venv"
    "$work/venv/bin/pip" install -q --only-binary :all: --find-links "$wheels" wavelstm
    "$work/venv/bin/pip" check
    "$work/venv/bin/python" --version
    "$work/venv/bin/wavelstm-convert" --version
    (cd "$work" && venv/bin/python -B "$here/consumer/wheel.py")
    for tests in "$here"/../unit/test_python*.py "$here/../unit/test_convert.py"; do
        (cd "$work" && WLSTM_CACHE=off venv/bin/python -B "$tests")
    done
    rm -r "$work/venv"
done

if [ "$(id -u)" -ne 0 ] || ! command -v debootstrap > /dev/null; then
    echo "wheel.sh: no system of its own, which needs root and debootstrap"
    exit
fi
root=$work/root
# shellcheck source=/dev/null
. /etc/os-release
debootstrap --variant=minbase --include=python3,python3-pip "$VERSION_CODENAME" "$root" > "$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
version=$(chroot "$root" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
python3 -m pip download -q -d "$root/wheels" --only-binary :all: --python-version "$version" numpy
mkdir -p "$root/tests/unit" "$root/src/reference"
cp "$wheels"/*.whl "$here/consumer/wheel.py" "$root/wheels"
cp "$here"/../unit/test_python*.py "$root/tests/unit"
cp -r "$here/../support" "$root/tests"
cp "$here/../../src/reference/compare.c" "$root/src/reference" # the tolerances
for absent in gcc cc clang make cmake; do
    ! chroot "$root" sh -c "command -v $absent" || { echo "wheel.sh: $absent is there"; exit 1; }
done
! ls "$root"/usr/lib/*/libgomp* 2> /dev/null || { echo "wheel.sh: libgomp is there"; exit 1; }
chroot "$root" python3 -m pip install -q --root-user-action=ignore --break-system-packages --no-index --find-links /wheels \
    wavelstm
# shellcheck disable=SC2016
chroot "$root" sh -c '. /etc/os-release; echo "$PRETTY_NAME, $(ldd --version | head -n 1), no compiler"'
unshare --mount sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" sh -c "$1"' "$root" \
    'cd /tmp && wavelstm-convert --version && python3 -B /wheels/wheel.py && export WLSTM_CACHE=off && for tests in /tests/unit/test_python*.py; do python3 -B "$tests" || exit 1; done'
