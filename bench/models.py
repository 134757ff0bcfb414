#!/usr/bin/env python3
"""What a precision of the products costs two trained models that people use: silero-vad's LSTMCell(128, 128), which
decides every 32 ms whether somebody speaks, and resemblyzer's nn.LSTM(40, 256, 3), which tells voices apart. Their
wheels from PyPI carry the weights; what stands around the LSTMs is computed here in float64 for all engines alike. The
sound is made by speech(), the same on each machine.

    sh scripts/check.sh models

Told are, against the same models in float64: of silero-vad the largest and mean difference of its probabilities and how
many decisions at 0.5 change, of resemblyzer the least cosine of an embedding with its own. Ours and PyTorch run step by
step and utterance by utterance, ONNX Runtime a whole stream at once.

Exit status: 0; 1 if ours differs by more than 1e-5 in f32, 0.05 in bf16, 0.25 in int8, in a probability or in a cosine;
2 for files that cannot be used."""

import argparse
import json
import logging
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

import wavelstm
from peers import accuracy, engine_onnxruntime
from peers.engine_pytorch import lowered
from peers.environment import machine
from peers.reference import sigmoid
from peers.tasks import Data, Problem, Task

RATE = 16000
ENGINES = {"wavelstm": ("full", "bf16", "int8"), "pytorch": ("full", "bf16", "int8"), "onnxruntime": ("full", "int8")}
VOWELS = np.array([(730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410)])  # Hz


def speech(speaker: int, utterance: int, seconds: float) -> np.ndarray:
    """[samples] Syllables of a voice: a pitch of its own that sinks and wavers, its harmonics weighed by the formants
    of one vowel after another, bursts of noise for consonants, pauses, and a little noise all the time."""
    voice, text = np.random.default_rng([1, speaker]), np.random.default_rng([2, speaker, utterance])
    count = int(seconds * RATE)
    time = np.arange(count) / RATE
    lengths = text.uniform(0.12, 0.32, int(seconds / 0.12) + 1)
    ends = np.cumsum(lengths)
    syllable = np.searchsorted(ends, time)
    within = (time - (ends - lengths)[syllable]) / lengths[syllable]  # 0 to 1
    melody = 0.15 * np.sin(2 * np.pi * 0.4 * time + text.uniform(0, 6)) - 0.1 * within
    pitch = voice.uniform(95.0, 230.0) * (1.0 + melody)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    formants = (VOWELS * voice.uniform(0.88, 1.12))[text.integers(0, len(VOWELS), len(lengths))][syllable].T
    voiced = np.zeros(count)
    for harmonic in range(1, 36):
        height = harmonic * pitch
        weight = sum(1.0 / (1.0 + ((height - formant) / width) ** 2)
                     for formant, width in zip(formants, (70, 100, 160)))
        voiced += np.where(height < RATE / 2, weight, 0.0) * np.sin(harmonic * phase) / harmonic ** 0.5
    spoken = (text.random(len(lengths)) < 0.75)[syllable]
    noise = text.standard_normal(count)
    burst = np.where(within < 0.25, np.diff(noise, prepend=0.0), 0.0)
    sound = np.where(spoken, voiced * np.sin(np.pi * np.clip(within * 1.2, 0, 1)) ** 0.5 + 0.3 * burst, 0.0)
    return 0.1 * sound / np.sqrt(np.mean(sound ** 2)) + 0.001 * noise


def mel_frames(sound: np.ndarray, bands: int = 40) -> np.ndarray:
    """[frames, bands] Power in bands of the mel scale, 25 ms every 10 ms, of a sound at -30 dB."""
    sound = sound * (10 ** -1.5 / np.sqrt(np.mean(sound ** 2)))
    size, hop = RATE // 40, RATE // 100
    starts = np.arange(0, len(sound) - size + 1, hop)
    windows = sound[starts[:, None] + np.arange(size)] * np.hanning(size)
    power = np.abs(np.fft.rfft(windows, axis=1)) ** 2
    edges = 700.0 * (10.0 ** (np.linspace(0.0, 2595.0 * np.log10(1.0 + RATE / 2 / 700.0), bands + 2) / 2595.0) - 1.0)
    heights = np.fft.rfftfreq(size, 1.0 / RATE)
    rising = (heights - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - heights) / np.diff(edges)[1:, None]
    filters = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return power @ filters.T


# ------------------------------------------------------------------------------------------------------------- engines


def ours(module: torch.nn.Module, precision: str):
    """The module as this library's, or None where it knows no precision but full."""
    kind = wavelstm.LSTM if isinstance(module, torch.nn.LSTM) else wavelstm.LSTMCell
    try:
        return kind.from_torch(module, precision=precision)
    except TypeError:
        return kind.from_torch(module) if precision == "full" else None


def module_of(engine: str, module: torch.nn.Module, precision: str):
    """What is called as the module is, or None."""
    return ours(module, precision) if engine == "wavelstm" else lowered(module, precision)


def sequence_by_onnxruntime(module: torch.nn.Module, precision: str, x: np.ndarray) -> tuple:
    """x [T, I] -> out [T, H], h_n [L, H] by a model for one row"""
    state = {name.removesuffix("_l0"): values for name, values in module.state_dict().items()}
    layers = getattr(module, "num_layers", 1)
    params = [{name: state[name if layer == 0 else f"{name}_l{layer}"].numpy()
               for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")} for layer in range(layers)]
    problem = Problem(len(x), 1, x.shape[1], module.hidden_size, layers)
    task = Task("forward", problem).at(precision)
    model = engine_onnxruntime.serialized(task, Data(params, x[:, None], None))
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    out, h_n = session.run(["out", "h_n"], {"x": x[:, None]})
    return out[:, 0], h_n[:, 0]


# -------------------------------------------------------------------------------------------------------------- models


class Voices:
    """resemblyzer: three layers over 160 mel frames, the last h through a linear layer and a ReLU, to length 1."""
    name, utterances = "resemblyzer", [(speaker, number) for speaker in range(8) for number in range(3)]

    def __init__(self, wheel: zipfile.ZipFile):
        with wheel.open("resemblyzer/pretrained.pt") as file:
            state = torch.load(file, map_location="cpu", weights_only=True)["model_state"]
        self.lstm = torch.nn.LSTM(40, 256, 3, batch_first=True).eval()
        self.lstm.load_state_dict({name.removeprefix("lstm."): values for name, values in state.items()
                                   if name.startswith("lstm.")})
        self.linear = [state[f"linear.{name}"].double().numpy() for name in ("weight", "bias")]
        self.inputs = [mel_frames(speech(*utterance, 1.7))[None, :160].astype(np.float32)
                       for utterance in self.utterances]

    def embeddings(self, last: list) -> np.ndarray:
        weight, bias = self.linear
        raw = np.maximum(0.0, np.stack(last) @ weight.T + bias)
        return raw / np.linalg.norm(raw, axis=1, keepdims=True)

    def run(self, engine: str, precision: str) -> np.ndarray | None:
        """[utterances, 256]"""
        if engine == "onnxruntime":
            return self.embeddings([sequence_by_onnxruntime(self.lstm, precision, x[0])[1][-1] for x in self.inputs])
        module = module_of(engine, self.lstm, precision)
        if module is None:
            return None
        rounded = precision if engine == "pytorch" else "full"
        return self.embeddings([module(lowered(torch.from_numpy(x), rounded))[1][0][-1, 0].double().numpy()
                                for x in self.inputs])

    def exact(self) -> np.ndarray:
        lstm = torch.nn.LSTM(40, 256, 3, batch_first=True, dtype=torch.float64).eval()
        lstm.load_state_dict(self.lstm.state_dict())
        return self.embeddings([lstm(torch.from_numpy(x).double())[1][0][-1, 0].numpy() for x in self.inputs])

    @staticmethod
    def figures(found: np.ndarray, exact: np.ndarray) -> dict:
        return {"least_cosine": float(np.min(np.sum(found * exact, axis=1)))}


class Activity:
    """silero-vad at 16 kHz: spectra of 576 samples every 512 through four convolutions, a cell, a ReLU and a sum."""
    name, streams = "silero-vad", range(8)

    def __init__(self, wheel: zipfile.ZipFile):
        package = wheel.read("silero_vad/data/silero_vad_16k_op15.onnx")
        state = {tensor.name.removeprefix("model."): torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy())
                 for tensor in onnx.load_model_from_string(package).graph.initializer}
        self.cell = torch.nn.LSTMCell(128, 128).eval()
        self.cell.load_state_dict({name.removeprefix("decoder.rnn."): values for name, values in state.items()
                                   if name.startswith("decoder.rnn.")})
        self.state = {name: values.double() for name, values in state.items()}
        sounds = [np.concatenate([speech(stream, 9, 4.0), 0.002 * np.random.default_rng([3, stream]).standard_normal(
            3 * RATE), speech(stream, 10, 5.0)]) for stream in self.streams]
        self.frames = [self.framed(sound.astype(np.float32)) for sound in sounds]
        self.inputs = [self.features(frames).float().numpy() for frames in self.frames]
        self.check_network(package)

    @staticmethod
    def framed(sound: np.ndarray) -> np.ndarray:
        """[frames, 576]: 512 samples each, after the 64 before them"""
        padded = np.concatenate([np.zeros(64, np.float32), sound])
        starts = np.arange(0, len(sound) // 512 * 512, 512)
        return padded[starts[:, None] + np.arange(576)]

    def features(self, frames: np.ndarray) -> torch.Tensor:
        """[frames, 128], what the cell reads"""
        x = torch.nn.functional.pad(torch.from_numpy(frames).double(), (0, 64), "reflect")[:, None]
        waves = torch.nn.functional.conv1d(x, self.state["stft.forward_basis_buffer"], stride=128)
        x = torch.hypot(*waves.chunk(2, dim=1))
        for layer, stride in enumerate((1, 2, 2, 1)):
            weight, bias = (self.state[f"encoder.{layer}.reparam_conv.{name}"] for name in ("weight", "bias"))
            x = torch.relu(torch.nn.functional.conv1d(x, weight, bias, stride, padding=1))
        return x[:, :, 0]

    def probabilities(self, h: np.ndarray) -> np.ndarray:
        weight, bias = (self.state[f"decoder.decoder.2.{name}"].numpy().ravel() for name in ("weight", "bias"))
        return sigmoid(np.maximum(0.0, h) @ weight + bias)

    def check_network(self, package: bytes) -> None:
        """The network as it is put together here gives what the package's own file gives."""
        session = onnxruntime.InferenceSession(package, providers=["CPUExecutionProvider"])
        state, theirs = np.zeros((2, 1, 128), np.float32), []
        for frame in self.frames[0]:
            probability, state = session.run(None, {"input": frame[None], "state": state, "sr": np.array(RATE)})
            theirs.append(probability.item())
        worst = np.max(np.abs(np.array(theirs) - self.exact()[:len(theirs)]))
        if worst > 1e-3:
            raise ValueError(f"silero-vad: its own ONNX file's probabilities expected, these differ by {worst:.2g}")

    def steps(self, cell, x: torch.Tensor) -> np.ndarray:
        """[frames, 128]: the cell's h, from zeros"""
        state, out = None, []
        for step in x:
            state = cell(step[None], state)
            out.append(state[0][0].double().numpy())
        return np.stack(out)

    def run(self, engine: str, precision: str) -> np.ndarray | None:
        """[frames of all streams]"""
        if engine == "onnxruntime":
            hidden = [sequence_by_onnxruntime(self.cell, precision, x)[0] for x in self.inputs]
        else:
            cell = module_of(engine, self.cell, precision)
            if cell is None:
                return None
            rounded = precision if engine == "pytorch" else "full"
            hidden = [self.steps(cell, lowered(torch.from_numpy(x), rounded)) for x in self.inputs]
        return np.concatenate([self.probabilities(h.astype(np.float64)) for h in hidden])

    def exact(self) -> np.ndarray:
        cell = torch.nn.LSTMCell(128, 128, dtype=torch.float64)
        cell.load_state_dict(self.cell.state_dict())
        return np.concatenate([self.probabilities(self.steps(cell, torch.from_numpy(x).double())) for x in self.inputs])

    @staticmethod
    def figures(found: np.ndarray, exact: np.ndarray) -> dict:
        error = np.abs(found - exact)
        return {"largest": float(np.max(error)), "mean": float(np.mean(error)),
                "changed": int(np.sum((found > 0.5) != (exact > 0.5))), "decisions": len(exact)}


# -------------------------------------------------------------------------------------------------------------- report


def measure(models: list) -> list:
    """A result for each engine and precision that it has."""
    exact, results = {model.name: model.exact() for model in models}, []
    for precision in accuracy.BOUNDS:
        for engine, precisions in ENGINES.items():
            found = {model.name: model.run(engine, precision) for model in models if precision in precisions}
            if found and all(values is not None for values in found.values()):
                results.append({"precision": precision, "engine": engine, **{
                    key: value for model in models for key, value in model.figures(found[model.name],
                                                                                 exact[model.name]).items()}})
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels", type=Path, metavar="DIR", help="where the wheels of silero-vad and resemblyzer lie")
    parser.add_argument("--json", type=Path, metavar="F", help="write all numbers, versions and the machine")
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # of models that were prepared, to prepare them
    try:
        models = []
        for kind, pattern in ((Activity, "silero_vad-*.whl"), (Voices, "[Rr]esemblyzer-*.whl")):
            path = next(iter(sorted(options.wheels.glob(pattern))), None)
            if not path:
                raise ValueError(f"{options.wheels}: {pattern} expected there")
            with torch.inference_mode(), zipfile.ZipFile(path) as wheel:
                models.append(kind(wheel))
    except (OSError, KeyError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        print(f"models: {error}", file=sys.stderr)
        return 2
    with torch.inference_mode():
        results = measure(models)
    print(accuracy.table(results))
    missing = [precision for precision in accuracy.BOUNDS if ("wavelstm", precision) not in
               {(result["engine"], result["precision"]) for result in results}]
    if missing:
        print(f"models: {', '.join(missing)}: this library knows no precision but full", file=sys.stderr)
    if options.json:
        versions = {"wavelstm": wavelstm.build_info(), "pytorch": torch.__version__,
                    "onnxruntime": onnxruntime.__version__}
        options.json.write_text(json.dumps({"machine": machine(), "versions": versions, "results": results}, indent=1)
                                + "\n")
    wrong = accuracy.beyond(results)
    for line in wrong:
        print(f"models: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
