"""Writes tests/fuzz/corpus: for each fuzz target a few inputs, right ones and wrong ones, that libFuzzer begins with
and ctest replays. What a fuzzer finds is added here, by a name that says what it was."""
import json
import pathlib
import random
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus"


def put(target, name, content):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def floats(count, code="f"):
    return struct.pack(f"<{count}{code}", *(((k % 17) - 8) / 16 for k in range(count)))


def safetensors(tensors, metadata=None, code="f"):
    """The header's text, a NUL, the data: tensors are (name, dtype, shape, bytes an element)."""
    header, at = ({"__metadata__": metadata} if metadata else {}), 0
    for name, dtype, shape, size in tensors:
        count = size
        for dimension in shape:
            count *= dimension
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + count]}
        at += count
    data = floats((at + 3) // 4, code)[:at]
    return json.dumps(header, separators=(",", ":")).encode() + b"\0" + data


def lstm(I, H, prefix="", suffixes=("_l0",), dtype="F32", size=4, bias=True, proj=0):
    tensors = []
    for suffix in suffixes:
        R = proj or H
        tensors += [(f"{prefix}weight_ih{suffix}", dtype, [4 * H, I], size),
                    (f"{prefix}weight_hh{suffix}", dtype, [4 * H, R], size)]
        if bias:
            tensors += [(f"{prefix}bias_ih{suffix}", dtype, [4 * H], size),
                        (f"{prefix}bias_hh{suffix}", dtype, [4 * H], size)]
        if proj:
            tensors += [(f"{prefix}weight_hr{suffix}", dtype, [proj, H], size)]
    return tensors


def write_safetensors():
    model = lstm(2, 1)
    put("safetensors", "lstm", safetensors(model, {"format": "pt"}))
    put("safetensors", "cell", safetensors(lstm(1, 1, suffixes=("",))))
    put("safetensors", "projected", safetensors(lstm(1, 2, bias=False, proj=1)))
    put("safetensors", "bidirectional", safetensors(lstm(1, 1, suffixes=("_l0", "_l0_reverse"))))
    put("safetensors", "half", safetensors(lstm(1, 1, prefix="rnn.", dtype="F16", size=2, bias=False)))
    put("safetensors", "double", safetensors(lstm(1, 1, dtype="F64", size=8, bias=False)))
    put("safetensors", "bfloat16", safetensors(lstm(1, 1, dtype="BF16", size=2, bias=False)))
    put("safetensors", "trainer", safetensors(
        model + lstm(2, 1, prefix="optimizer.momentum_buffer.") + [("optimizer.step", "F64", [], 8)]))
    put("safetensors", "others", safetensors([("a", "I64", [2], 8), ("b\u001b[31m", "F4", [2, 0], 1),
                                              ("c", "BOOL", [], 1), ("weight_ih_l0", "F32", [4, 1], 4)]))
    put("safetensors", "overlap", '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
                                  '"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}\0......')
    put("safetensors", "huge", '{"a":{"dtype":"F32","shape":[9223372036854775807,4],"data_offsets":[0,4]}}\0....')
    put("safetensors", "raw", struct.pack("<Q", 2) + b"{}")
    put("safetensors", "long_header", struct.pack("<Q", 2**63) + b"{}")


def array(descr, shape, data, order=False):
    return f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n".encode() + data


def write_npy():
    put("npy", "f4", array("<f4", (2, 3), floats(6)))
    put("npy", "big_f8", array(">f8", (1,), floats(1, "d")))
    put("npy", "f2", array("<f2", (3,), b"\0\x3c\0\x7c\xff\x03"))
    put("npy", "i8", array("<i8", (), struct.pack("<q", -1)))
    put("npy", "empty", array("<i4", (0, 9223372036854775807), b""))
    put("npy", "fortran", array("<f4", (2, 2), floats(4), True))
    put("npy", "nine_dimensions", array("<f4", (1,) * 9, floats(1)))
    put("npy", "structured", "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}\n....")
    header = b"{'descr':'<f4','fortran_order':False,'shape':(1,)}\n"
    put("npy", "version_2", b"\x93NUMPY\2\0" + struct.pack("<I", len(header)) + header + floats(1))


def write_plan_cache():
    rates = {"threads": 1, "bandwidths": [1e9] * 14, "region_us": 1, "barrier_us": 1, "task_us": 1,
             "gemms": {"onednn matmul": {"flops_f32": 1e9, "call_us": 1}}, "flops_f32": 1e9, "flops_f64": 1e9,
             "flops_bf16": 1e9, "flops_s8": 1e9, "cell_f32_us": 1, "cell_f64_us": 1}

    def cache(plans, rates=(), machine="@", **training):
        text = json.dumps({"format": "wavelstm plan cache", "version": 1, "machine": "@", "rates": list(rates),
                           "plans": plans, **training}, separators=(",", ":"))
        return text.replace('"@"', machine)

    def plan(**choice):
        return {"choice": choice, "effort": "measure", "untuned_us": 2, "tuned_us": 1}

    put("plan_cache", "empty", cache({}))
    put("plan_cache", "plans", cache({"t10b3i100h20l4/threads:2": plan(schedule=2, threads=1, gang_layers=1),
                                      "t5b3i4h9l2-bi-f64/threads:1": plan(chunk_steps=2)}))
    put("plan_cache", "rates", cache({}, [rates, dict(rates, threads=2, barrier_us=1e-6, region_us=1e6)]))
    put("plan_cache", "out_of_range", cache({"t1b1i1h1l1/threads:1": plan(schedule=255)}))
    put("plan_cache", "training", cache({}, training={
        "t5b3i4h9l2/threads:2": plan(crews=2, chunk_steps=3, parts=1),
        "t6b3i4h9l2/threads:2": plan(crews=1, chunk_steps=5, parts=2),
        "t7b3i4h9l2/threads:2": plan(crews=3, chunk_steps=99, parts=65536)}))
    put("plan_cache", "training_out_of_range", cache({}, training={
        "t5b3i4h9l2/threads:2": plan(crews=2, chunk_steps=0, parts=1)}))
    put("plan_cache", "another_machine", cache({}, machine='{"cpu":"\\u001b[31m"}'))
    put("plan_cache", "no_json", "{\"format\":")


def write_problem():
    for name in ["t200b1i80h320l2-bi", "t10b3i100h20l4p7-bi-nobias-f64", "t1b1i1h1l1-int8", "t1b1i1h1l1-bf16",
                 "t1b1i1h8h4h2-nobias", "t1099511627776b1i1h1l1", "t1b1i1h1048576l1p1048576", "t1b1i1h1l1-f16",
                 "t01b1i1h1l1", "t1b1i1h1l1-f64-bi", "t1b1i1" + "h1" * 17]:
        put("problem", name.replace("*", "_")[:40], name)


def write_arguments():
    def words(*given):
        return "\n".join(given)

    run = ["--model", "m", "--input", "x", "--output", "o"]
    put("run_arguments", "all", words(*run, "--h0", "h", "--c0", "c", "--hn", "p", "--cn", "q", "--lengths", "l",
                                      "--prefix", "a.", "--batch-first", "--threads", "2", "--dtype", "f64",
                                      "--schedule", "gangs", "--precision=int8", "--effort", "measure"))
    put("run_arguments", "same_file", words(*run, "--hn", "./o"))
    put("run_arguments", "compare", words(*run, "--compare", "full", "--compact"))
    put("run_arguments", "help", "--help")
    put("run_arguments", "version", "--version")
    put("run_arguments", "threads", words(*run, "--threads", "99999999999999999999"))
    put("tune_arguments", "problems", words("t10b3i100h20l4", "--threads", "1,1", "--time-limit", "1e-3",
                                            "--effort", "patient", "--", "t1b1i1h1l1"))
    put("tune_arguments", "model", words("--model", "m", "--batch", "1,8", "--seq", "2", "--prefix", "a.",
                                         "--precision", "bf16", "--cache", "c"))
    put("tune_arguments", "family", words("--family", "train", "t10b3i100h20l4-f64"))
    put("tune_arguments", "forget", words("--forget", "train/t10b3i100h20l4", "t1b1i1h1l1"))
    put("tune_arguments", "export", words("--export", "f", "--list"))
    put("tune_arguments", "rows", words("--model", "m", "--batch", "1099511627776", "--seq", "2"))
    put("bench_arguments", "problems", words("t10b3i100h20l4", "--threads", "2,1,2", "--family", "forward,create",
                                             "--backend", "native,onednn", "--schedule=gangs,serial"))
    put("bench_arguments", "grid", "--cell")
    put("bench_arguments", "machine", words("--machine", "--threads", "1"))
    put("bench_arguments", "simulate", words("--simulate-threads", "2,4", "t1b1i1h8h4"))
    put("bench_arguments", "google", words("--benchmark_format=json", "--benchmark_color=", "--v=1", "--", "--v=1"))


def npy_file(descr, shape, data):
    body = array(descr, shape, data)
    header = body.index(b"\n") + 1
    return b"\x93NUMPY\1\0" + struct.pack("<H", header) + body


def write_run():
    """An option byte, then files with two bytes of length each, the largest first, of the last none."""
    text = safetensors(lstm(3, 2))
    header = text.index(b"\0")
    model = struct.pack("<Q", header) + text[:header] + text[header + 1:]
    x = npy_file("<f4", (4, 2, 3), floats(24))
    lengths = npy_file("<i8", (2,), struct.pack("<qq", 4, 2))
    state = npy_file(">f4", (1, 2, 2), floats(4))

    def files(options, *contents):
        return bytes([options]) + b"".join(
            (struct.pack(">H", len(c)) if k + 1 < len(contents) else b"") + c for k, c in enumerate(contents))

    put("run", "plain", files(0, model, x))
    put("run", "lengths_and_states", files(3, model, x, lengths, state))
    put("run", "batch_first_f64", files(12, model, x))
    put("run", "compact_int8", files(48, model, x))
    put("run", "no_rows", files(0, model, npy_file("<f4", (9223372036854775807, 0, 3), b"")))
    put("run", "cut_short", files(1, model, x, lengths[:-1]))


def write_drawn():
    for target, inputs, count in ("forward", 24, 40), ("streams", 12, 90), ("trainer", 16, 24):
        numbers = random.Random(1)
        for k in range(inputs):
            put(target, f"drawn_{k}", bytes(numbers.randrange(256) for _ in range(count)))


for write in (write_safetensors, write_npy, write_plan_cache, write_problem, write_arguments, write_run, write_drawn):
    write()
