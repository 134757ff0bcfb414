#!/bin/sh
# The main job on real data: installs what is missing, builds, forecasts a held-back year with a trained PyTorch LSTM in
# C, compares with PyTorch and a naive forecast, and writes a plot. Run it from anywhere, as often as wanted.
set -eu
cd "$(dirname "$0")/.."

sh scripts/deps.sh
cmake -S . -B build -DCMAKE_BUILD_TYPE=Release
cmake --build build -j "$(nproc)"
echo
build/bin/wlstm-demo examples/demo "$(pwd)/build/demo.svg"
