#!/bin/sh
# The main job on real data: installs what is missing, builds, tunes the model for this machine, forecasts a held-back year with a
# trained PyTorch LSTM in C, compares with PyTorch and a naive forecast, and writes a plot. Run it from anywhere, as often as wanted.
set -eu
cd "$(dirname "$0")/.."

sh scripts/deps.sh
cmake -S . -B build -DCMAKE_BUILD_TYPE=Release
cmake --build build -j "$(nproc)"
echo
cores=$(env -u OMP_NUM_THREADS nproc) # which would count more than there are
# The year as one sequence, and one day at a time; kept with the build unless WLSTM_CACHE names another place.
export WLSTM_CACHE="${WLSTM_CACHE:-$(pwd)/build/cache}"
[ "$WLSTM_CACHE" = off ] ||
    build/bin/wlstm-tune --model examples/demo/model.safetensors --prefix lstm. --batch 1 --seq 1,395 --threads "$cores,1" --time-limit 0.5
echo
build/bin/wlstm-demo examples/demo "$(pwd)/build/demo.svg"
