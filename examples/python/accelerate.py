#!/usr/bin/env python3
"""One line makes the LSTMs of PyTorch models run by wavelstm: four models before and after it, eager, traced, compiled and in
training, with a plot.

    python accelerate.py [--resemblyzer WHEEL] [--threads N] [--plot accelerate.svg] [--compile]

A CRNN with random weights reads a line of text (as OCR does), a Sequential classifies a year of daily data, one LSTM encodes a
sequence and goes on from there, and resemblyzer's voice encoder, with the weights that its wheel carries (pip download --no-deps
Resemblyzer==0.1.4), tells voices apart. Each result, and the parameters after three training steps, are compared with PyTorch's
before anything is timed.
Needs torch and wavelstm; nothing is installed and nothing else is read or written."""
import argparse
import copy
import pathlib
import time
import zipfile

import torch
from torch import nn

import wavelstm
import wavelstm.torch


class CRNN(nn.Module):
    """Convolutions over a line of text, 32 high, then two directions of two LSTM layers, then letters at each place."""

    def __init__(self, letters=80):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                                      nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d((4, 2)),
                                      nn.Conv2d(64, 64, (4, 3), padding=(0, 1)), nn.ReLU())
        self.lstm = nn.LSTM(64, 256, num_layers=2, bidirectional=True, batch_first=True)
        self.letters = nn.Linear(512, letters)

    def forward(self, image):
        features = self.features(image).squeeze(2).transpose(1, 2)
        return self.letters(self.lstm(features)[0]).log_softmax(-1)


class Last(nn.Module):
    """The last step of an LSTM's output, batch first."""

    def forward(self, results):
        return results[0][:, -1]


class Tied(nn.Module):
    """One LSTM encodes a sequence, and decodes another one from the states that it leaves."""

    def __init__(self):
        super().__init__()
        self.encoder = self.decoder = nn.LSTM(64, 128, 2)
        self.symbols = nn.Linear(128, 64)

    def forward(self, x):
        source, target = x.chunk(2)
        _, states = self.encoder(source)
        return self.symbols(self.decoder(target, states)[0])


class VoiceEncoder(nn.Module):
    """resemblyzer's: 160 frames of 40 mel channels to a vector of length 1."""

    def __init__(self, wheel):
        super().__init__()
        self.lstm = nn.LSTM(40, 256, 3, batch_first=True)
        self.linear = nn.Linear(256, 256)
        with zipfile.ZipFile(wheel) as files, files.open("resemblyzer/pretrained.pt") as file:
            state = torch.load(file, map_location="cpu", weights_only=True)["model_state"]
        self.load_state_dict({name: value for name, value in state.items() if name.startswith(("lstm.", "linear."))})

    def forward(self, mel):
        _, (h_n, _) = self.lstm(mel)
        return nn.functional.normalize(torch.relu(self.linear(h_n[-1])), dim=1)


def models_and_inputs(wheel=None):
    """(name, model, input) of each; resemblyzer's of its wheel."""
    torch.manual_seed(0)
    yield "CRNN", CRNN(), torch.randn(1, 1, 32, 400)
    yield ("Sequential", nn.Sequential(nn.LSTM(32, 64, batch_first=True), Last(), nn.Linear(64, 10)), torch.randn(16, 365, 32))
    yield "tied", Tied(), torch.randn(60, 8, 64)
    if wheel:
        yield "resemblyzer", VoiceEncoder(wheel), torch.rand(1, 160, 40)


def training_step(model, x):
    """A function that runs one, with an optimizer of its own."""
    optimizer = torch.optim.SGD(model.train().parameters(), 0.01)

    def step():
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
    return step


def check_training(model, faster, x):
    """That three steps leave both with the same parameters, within rounding."""
    for each in model, faster:
        step = training_step(each, x)
        for _ in range(3):
            step()
        each.eval()
    torch.testing.assert_close(faster.state_dict(), model.state_dict(), rtol=1e-4, atol=1e-5)


def milliseconds(function, seconds=1.0):
    """The least time of a call, of those that fit into so many seconds."""
    function()
    least, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        function()
        least = min(least, time.perf_counter() - start)
    return 1e3 * least


def ways(model, x, compiled):
    """The ways to run a model, by name."""
    yield "eager", model
    yield "traced", torch.jit.trace(model, x)
    if compiled:  # needs a C++ compiler
        yield "compiled", torch.compile(model)


def plot(path, rows):
    """Bars of PyTorch's and wavelstm's milliseconds, as SVG."""
    height, most = 24, max(max(before, after) for _, before, after in rows)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="720" height="{70 + 3 * height * len(rows)}" font-family="sans-serif" '
             'font-size="13"><rect width="100%" height="100%" fill="white"/>'
             '<text x="10" y="22">milliseconds a call: <tspan fill="#8a8a8a">PyTorch</tspan>, <tspan fill="#1f6fb2">after '
             'wavelstm.torch.accelerate</tspan></text>']
    for k, (name, before, after) in enumerate(rows):
        y = 45 + 3 * height * k
        lines.append(f'<text x="10" y="{y + height}">{name}</text>')
        for color, value in (("#b8b8b8", before), ("#1f6fb2", after)):
            lines.append(f'<rect x="210" y="{y}" width="{400 * value / most:.1f}" height="{height - 3}" fill="{color}"/>'
                         f'<text x="{216 + 400 * value / most:.1f}" y="{y + 16}">{value:.2f}</text>')
            y += height
    pathlib.Path(path).write_text("\n".join([*lines, "</svg>"]) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--resemblyzer", metavar="WHEEL", help="Resemblyzer-0.1.4-py3-none-any.whl")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--plot", default="accelerate.svg")
    parser.add_argument("--compile", action="store_true", help="torch.compile too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)  # which wavelstm follows
    print(f"{wavelstm.build_info()}; PyTorch {torch.__version__}; threads: {options.threads}")
    rows = []

    def compare(name, before, after):
        rows.append((name, milliseconds(before), milliseconds(after)))
        print("{:24} {:8.2f} ms by PyTorch {:8.2f} ms by wavelstm".format(*rows[-1]))

    for name, model, x in models_and_inputs(options.resemblyzer):
        faster = wavelstm.torch.accelerate(copy.deepcopy(model.eval()))  # the one line; the copy is there to compare
        with torch.inference_mode():
            expected = model(x)
            for (way, before), (_, after) in zip(ways(model, x, options.compile), ways(faster, x, options.compile)):
                torch.testing.assert_close(after(x), expected)
                compare(f"{name}, {way}", lambda: before(x), lambda: after(x))  # noqa: B023
        check_training(model, faster, x)
        compare(f"{name}, training step", training_step(model, x), training_step(faster, x))
    plot(options.plot, rows)


if __name__ == "__main__":
    main()
