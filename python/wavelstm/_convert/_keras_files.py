""".keras and .h5: the layers LSTM, also in Bidirectional; those that stand on each other are one LSTM."""
import importlib.util
import io
import json
import os
import re
import zipfile

import numpy as np

from ._found import BATCH_FIRST, Failure, Found, chains, needed, of_directions

KIND = "a model that Keras saved"
# What a layer passes on as it is when nobody trains.
_PASSING = {"Dropout", "SpatialDropout1D", "GaussianDropout", "GaussianNoise", "AlphaDropout", "ActivityRegularization",
            "Activation", "InputLayer"}
_USUAL = {"activation": "tanh", "recurrent_activation": "sigmoid", "go_backwards": False}


def _passes(layer):
    return layer["class_name"] in _PASSING and layer["config"].get("activation", "linear") == "linear"


class _Layer:
    """An LSTM or a Bidirectional of LSTMs by its config; weights(config, way) are its arrays, way its name behind those of the
    models that it is in."""

    def __init__(self, config, way, weights):
        self.config, self.name, self.directions = config, "/".join(way), [config["config"]]
        if config["class_name"] == "Bidirectional":
            inner = config["config"]["layer"]["config"]
            backward = (config["config"].get("backward_layer") or {}).get("config") or {**inner, "go_backwards": True}
            self.directions = [inner, backward]
        reason = self._refuse()
        if reason:
            self.found = Found(self.name, reason=reason)
            return
        self.arrays = weights(config, way)
        self.found = Found(self.name, of_directions(self._parameters()), engine=self._run, engine_name=self._engine_name,
                           notes=[BATCH_FIRST])

    def _refuse(self):
        kind, config = self.config["class_name"], self.config["config"]
        if kind == "Bidirectional":
            kind = config["layer"]["class_name"]
            if config.get("merge_mode", "concat") != "concat":
                return f"merge_mode {config['merge_mode']}: concat expected"
        if kind != "LSTM":
            return f"layer {kind}: keras.layers.LSTM, also in a Bidirectional, expected"
        for direction, layer in enumerate(self.directions):
            for name, usual in {**_USUAL, "go_backwards": direction == 1}.items():
                value = layer.get(name, usual)
                if value != usual:
                    value = value.get("class_name", value) if isinstance(value, dict) else value
                    return f"{name} {value}: {usual} expected"
        if len({(layer["units"], layer.get("use_bias", True)) for layer in self.directions}) > 1:
            return "units and use_bias of both directions: the same expected"
        return None

    def _parameters(self):
        arrays, count = self.arrays, 3 if self.directions[0].get("use_bias", True) else 2
        if len(arrays) != count * len(self.directions):
            raise Failure(f"layer {self.name}: {count * len(self.directions)} arrays expected, got {len(arrays)}")
        for first in range(0, len(arrays), count):
            kernel, recurrent, *bias = arrays[first:first + count]
            yield (kernel.T, recurrent.T, bias[0], np.zeros_like(bias[0])) if bias else (kernel.T, recurrent.T, None, None)

    def _run(self, x):
        """out [T, B, directions * H] of x [T, B, I], by a new layer: to load the file's model may run code of the file's."""
        keras, dtype = _keras(), self.found.dtype
        arguments = self.found.arguments
        layer = keras.layers.LSTM(arguments["hidden_size"], use_bias=arguments["bias"], return_sequences=True, dtype=dtype)
        layer = keras.layers.Bidirectional(layer, dtype=dtype) if len(self.directions) == 2 else layer
        layer.build((x.shape[1], x.shape[0], x.shape[2]))
        layer.set_weights(self.arrays)
        out = layer(keras.ops.convert_to_tensor(x.swapaxes(0, 1)), training=False)
        return keras.ops.convert_to_numpy(out).swapaxes(0, 1)

    def _engine_name(self):
        return f"keras {_keras().__version__} on {_keras().backend.backend()}"


def _is_lstm(layer):
    """Also what is to be refused by name: wrappers of an LSTM, layers that are called so."""
    inner = layer["config"].get("layer") or layer["config"].get("cell") or {}
    return "LSTM" in layer["class_name"] or (isinstance(inner, dict) and "LSTM" in json.dumps(inner))


def _inputs(layer):
    """(name of a layer, number of its output) of each tensor that the layer takes, of a Functional's config."""
    found = []

    def collect(value):
        if isinstance(value, dict):
            if "keras_history" in value:
                found.append(tuple(value["keras_history"][::2]))
            else:
                for inner in value.values():
                    collect(inner)
        elif isinstance(value, list):
            if len(value) in (3, 4) and isinstance(value[0], str) and all(isinstance(number, int) for number in value[1:3]):
                found.append((value[0], value[2]))
                value = value[3:]
            for inner in value:
                collect(inner)

    collect(layer.get("inbound_nodes") or [])
    return found


def _walk(model, way, parts, below, weights):
    """Adds the LSTMs of the model's config, and of the models in it, to `parts`, and what each stands on to `below`."""
    layers = model["config"]["layers"] if isinstance(model["config"], dict) else model["config"]
    names = [layer.get("name") or layer["config"]["name"] for layer in layers]
    if "input_layers" not in model["config"]:  # a Sequential
        inputs = {name: [(before, 0)] for before, name in zip(names, names[1:])}
    else:
        inputs = {name: _inputs(layer) for name, layer in zip(names, layers)}
    outputs = model["config"].get("output_layers") or [] if isinstance(model["config"], dict) else []
    users = [before for taken in inputs.values() for before, _ in taken]
    users += re.findall(r'\["([^"]*)", \d+, \d+\]', json.dumps(outputs))
    here = dict(zip(names, layers))
    made = {}
    for name, layer in here.items():
        if "layers" in layer["config"]:
            _walk(layer, (*way, name), parts, below, weights)
        elif _is_lstm(layer):
            made[name] = _Layer(layer, (*way, name), weights)
            parts.append(made[name].found)
    for name, part in made.items():
        taken = inputs.get(name, [])
        while len(taken) == 1 and taken[0][1] == 0 and users.count(taken[0][0]) == 1:
            low = taken[0][0]
            config = made[low].directions[0] if low in made else {}
            if config.get("return_sequences") and not config.get("return_state"):
                below[id(part.found)] = made[low].found
            if low in made or low not in here or not _passes(here[low]):
                break
            taken = inputs.get(low, [])


def _keras():
    """Keras on a backend that is here."""
    backends = [name for name in ("tensorflow", "torch", "jax") if importlib.util.find_spec(name)]
    os.environ.setdefault("KERAS_BACKEND", backends[0] if backends else "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return importlib.import_module("keras")


def _of_keras(path, file, h5py):
    """config and weights(config, way) of a .keras file, whose groups are named by class, with the layers' names as attributes."""
    with zipfile.ZipFile(file) as archive:
        config = json.loads(archive.read("config.json"))
        store = h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r")

    def group_of(group, model, name):
        layers = group["layers"]
        named = [key for key in layers if "vars" in layers[key] and layers[key]["vars"].attrs.get("name") == name]
        if len(named) == 1:
            return layers[named[0]]
        names = {}  # in files without these, by class and number in the order of the config
        for layer in model["config"]["layers"]:
            names.setdefault(layer["class_name"], []).append(layer["config"]["name"])
        kind, number = next((kind, inside.index(name)) for kind, inside in names.items() if name in inside)
        return layers[f"{kind.lower()}_{number}" if number else kind.lower()]

    def weights(layer, way):
        group, model = store, config
        for name in way:
            group = group_of(group, model, name)
            model = next(inner for inner in model["config"]["layers"] if inner["config"]["name"] == name)
        ways = ["forward_layer/", "backward_layer/"] if layer["class_name"] == "Bidirectional" else [""]
        cells = [f"{way}cell/vars" for way in ways]
        return [group[cell][key][()] for cell in cells for key in sorted(group[cell], key=int)]

    return config, weights


def _of_h5(path, file, h5py):
    """config and weights(config, way) of an .h5 file: a list of names for each layer of the outermost model."""
    store = h5py.File(file, "r")
    text = store.attrs.get("model_config")
    if text is None:
        raise Failure(f"{path}: a whole model expected, got weights alone, which say nothing of activations and order; "
                      f"model.save('model.keras') has both")
    config = json.loads(text)

    def weights(layer, way):
        group = store["model_weights"][way[0]]
        chunks = sorted((key for key in group.attrs if key.startswith("weight_names")), key=lambda key: (len(key), key))
        names = [name.decode() if isinstance(name, bytes) else name for key in chunks for name in group.attrs[key]]
        return [group[name][()] for name in names if len(way) == 1 or way[-1] in name.split("/")]

    return config, weights


def read(path):
    h5py = needed("h5py", path)
    with open(path, "rb") as file:
        content = io.BytesIO(file.read())
    config, weights = (_of_keras if zipfile.is_zipfile(content) else _of_h5)(path, content, h5py)
    if "layers" not in config["config"] and not isinstance(config["config"], list):
        raise Failure(f"{path}: a Sequential or Functional model expected, got {config['class_name']}, whose layers only its own "
                      f"program knows")
    parts, below = [], {}
    _walk(config, (), parts, below, weights)
    return chains(parts, lambda found: below.get(id(found)))
