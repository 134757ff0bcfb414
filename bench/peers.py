#!/usr/bin/env python3
"""Measures wavelstm beside PyTorch, ONNX Runtime, OpenVINO and oneDNN's own LSTM primitive (the system's oneDNN, and
3.2 from PyPI), in training beside PyTorch and JAX: the same problems, weights, inputs and thread count, each engine in
a process of its own, in rounds of short turns. All problems are gone through --passes times, so that the rounds of each
are spread over the run.

Every engine must first give the result of the equations in float64: ours and PyTorch within the defaults of
torch.testing.assert_close, the others, which promise no bound, within rtol = atol = 1e-4. Of products in bf16 and int8
nobody promises any: there it is 0.05 and 0.1, and the largest and the mean error are told; of gradients it is 1e-4 of
the largest (f64: 1e-9). Timed is one forward call, out, (h_n, c_n) = lstm(x) with zero initial state, or a step of
training: forward, backward to x and all parameters, and the use of new ones. Ours and oneDNN run from a loop in C, the
others from Python as their users call them, by the fastest way each offers. Weights, plans and compiled models are made
before the clock starts.
Times are microseconds, the minimum over all turns; a ratio is the best peer's time over ours, above 1 where ours is
faster. Beside it are the ratios of the single rounds: their median and, in brackets, their middle half.

Exit status: 0; 1 if ours fails or gives a wrong result; 2 for wrong usage."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from peers import environment


def sizes(text: str) -> list:
    values = [int(part) for part in text.split(",")]
    if min(values) < 1:
        raise argparse.ArgumentTypeError("at least 1 expected")
    return values


def precision_list(text: str) -> list:
    values = list(dict.fromkeys(text.split(",")))
    if not set(values) <= {"full", "bf16", "int8", "bf16arrays"}:
        raise argparse.ArgumentTypeError("full, bf16, int8 and bf16arrays expected, with commas between them")
    return values


def arguments() -> argparse.Namespace:
    root = environment.BENCH.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="*", metavar="PROBLEM",
                        help="t<seq_len>b<batch>i<input_size>h<hidden_size>l<num_layers>[p<proj_size>][-bi][-nobias]"
                             "[-f64|-bf16|-int8|-bf16arrays]; p, -f64 and -bf16arrays are compared with PyTorch only. "
                             "Without a PROBLEM or one of the sets below: the grid. With --train also "
                             "[-ragged][-recompute<steps>]")
    parser.add_argument("--precision", type=precision_list, default=["full"], metavar="LIST",
                        help="each problem that names none with products in each of full,bf16,int8, or with bf16arrays "
                             "(full)")
    parser.add_argument("--cells", action="store_true", help="LSTMCell steps and a user's loop of two cells")
    parser.add_argument("--ragged", action="store_true", help="sequences of unlike lengths, and the same padded")
    parser.add_argument("--sessions", action="store_true",
                        help="one step of each of 1 to 4096 sessions: wlstm_streams_step, PyTorch with states gathered "
                             "and scattered, ONNX Runtime the same")
    parser.add_argument("--train", action="store_true",
                        help="steps of training, of the PROBLEMs or of the grid's up to 1024 units and four more; with "
                             "--memory what they take")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="N problems off the grid, drawn by --seed")
    parser.add_argument("--streams", action="store_true",
                        help="as many host threads as --threads says share one model of ours, beside as many processes "
                             "of each peer")
    parser.add_argument("--memory", action="store_true",
                        help="the most bytes resident while a model runs, beyond the interpreter and the libraries, "
                             "each engine by its plainest way")
    parser.add_argument("--threads", type=sizes, default=[1, 2], metavar="LIST", help="thread counts (1,2)")
    parser.add_argument("--passes", type=int, default=5,
                        help="times that all problems are gone through, with new models and plans, those that take "
                             "more than 3 s to prepare every second time; half as many more for those whose fastest "
                             "turns have not come again (5)")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S",
                        help="seconds in a pass for the rounds of a problem, half of its preparation at least (1)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, inputs, lengths and --random (0)")
    parser.add_argument("--engines", metavar="LIST", help="only these of wavelstm,pytorch,onnxruntime,openvino,"
                                                          "onednn-system,onednn-pypi,jax")
    parser.add_argument("--library", type=Path, default=root / "build" / "libwavelstm.so", help="ours")
    parser.add_argument("--without-ours", action="store_true", help="peers only")
    parser.add_argument("--json", type=Path, metavar="F", help="write all numbers, versions and the machine")
    parser.add_argument("--plots", type=Path, metavar="DIR",
                        help="write throughput.png and ratios.png, or throughput-bf16.png and so on; of --sessions "
                             "also sessions.svg: steps a second against sessions")
    parser.add_argument("--venv", type=Path,
                        help=f"where the peers live, made if missing ({environment.default_venv()})")
    options = parser.parse_args()
    if options.streams and options.memory:
        parser.error("--streams or --memory expected, got both")
    if options.streams and options.train:
        parser.error("--streams or --train expected, got both")
    if options.passes < 1:
        parser.error("--passes: at least 1 expected")
    return options


def choose_tasks(options: argparse.Namespace) -> list:
    return list(dict.fromkeys(one for task in choose_problems(options) for one in task.in_each(options.precision)))


def choose_problems(options: argparse.Namespace) -> list:
    from peers import memory, streams, tasks
    grid = [line for line in (environment.BENCH / "grid.txt").read_text().split("\n") if line and line[0] != "#"]
    chosen = [(tasks.Task.train if options.train else tasks.Task.forward)(name) for name in options.problems]
    if options.streams:
        return chosen or streams.TASKS
    if options.memory:
        return chosen or (memory.TRAINED if options.train else memory.TASKS)
    if options.train and not chosen:
        chosen = tasks.trained_of(grid)
    chosen += tasks.CELLS if options.cells else []
    chosen += tasks.RAGGED if options.ragged else []
    chosen += tasks.SESSIONS if options.sessions else []
    if options.random:
        print(f"random problems: seed {options.seed}")
        chosen += tasks.random_tasks(options.random, options.seed)
    return chosen or [tasks.Task.forward(name) for name in grid]


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def run_tasks(options: argparse.Namespace, chosen: list, configs: dict) -> tuple:
    from peers import passes
    return passes.measure_all(configs, chosen, options.threads, options.passes, options.seconds, options.seed, progress)


def present_engines(configs: dict) -> tuple:
    """({engine that can be started: its config}, {engine: version}, {engine: why it is absent})"""
    from peers import workers
    started, versions, absent = workers.start_workers(configs, 1)
    for worker in started:
        worker.stop()
    return {engine: configs[engine] for engine in versions}, versions, absent


def run_streams(options: argparse.Namespace, chosen: list, configs: dict) -> tuple:
    from peers import streams
    present, versions, absent = present_engines(configs)
    results = []
    for task in chosen:
        for count in options.threads:
            progress(f"{task}, {count} streams")
            rates, errors = streams.measure_streams(present, task, count, options.seed)
            results.append({"problem": str(task), "streams": count, "rates": rates, "errors": errors})
    progress("")
    return results, versions, absent


def run_memory(options: argparse.Namespace, chosen: list, configs: dict) -> tuple:
    from peers import memory
    present, versions, absent = present_engines(configs)
    results = []
    for task in chosen:
        for threads in options.threads:
            progress(f"{task}, {threads} threads")
            results.append(memory.measure_memory(present, task, threads, options.seed))
    progress("")
    return results, versions, absent


def main() -> int:
    options = arguments()
    environment.enter_venv(options.venv or environment.default_venv(), options.venv is not None)
    from peers import precisions, report, training, workers
    try:
        chosen = choose_tasks(options)
    except ValueError as error:
        print(f"peers: {error}", file=sys.stderr)
        return 2
    names = options.engines.split(",") if options.engines else workers.engines_for({task.kind for task in chosen})
    if unknown := set(names) - set(workers.MODULES):
        print(f"peers: no engine {', '.join(sorted(unknown))}; there are {', '.join(workers.MODULES)}", file=sys.stderr)
        return 2
    if options.without_ours:
        names = [name for name in names if name != workers.OURS]
    machine = environment.machine()
    if machine["load"] > 0.5:
        print(f"peers: this machine is busy (load {machine['load']:.1f}): threads that wait for each other will suffer",
              file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="wavelstm-peers-") as directory:
        configs, not_built = environment.helper_configs(names, Path(directory), options.library)
        if workers.OURS in not_built:
            print(f"peers: {not_built[workers.OURS]} (--without-ours measures the peers alone)", file=sys.stderr)
            return 1
        for config in configs.values():
            config["precisions"] = list(dict.fromkeys(task.problem.precision for task in chosen))
        run = run_streams if options.streams else run_memory if options.memory else run_tasks
        try:
            results, versions, not_started = run(options, chosen, configs)
        except workers.OursMissing as error:
            print(f"peers: {error} (--without-ours measures the peers alone)", file=sys.stderr)
            return 1
        absent = not_built | not_started

    engines = [name for name in names if name in versions]
    print(f"{machine['cpu']}, {machine['cores']} cores, {machine['date']}\n")
    if options.streams:
        print("Sequences a second, the best of the rounds.\n\n" + report.streams_table(results, engines, versions))
    elif options.memory and options.train:
        print("MB resident at most, beyond the interpreter, the libraries and the parameters.\n\n"
              + training.memory_table(results, engines, versions))
    elif options.memory:
        print("MB resident at most, beyond the interpreter and the libraries.\n\n"
              + report.memory_table(results, engines, versions))
    else:
        trained, others = training.of_training(results)
        print("\n\n".join(filter(None, [
            "Microseconds a call, the fastest of all turns.", precisions.report(others, engines, versions),
            training.report(trained, engines, versions)])))
    for engine, why in absent.items():
        print(f"absent: {report.TITLES[engine]} ({engine}): {why}", file=sys.stderr)
    for result in results:
        for engine, why in result["errors"].items():
            print(f"{result['problem']}: {engine}: {why}", file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps(
            {"machine": machine, "versions": versions, "absent": absent, "seed": options.seed, "passes": options.passes,
             "results": results}, indent=1) + "\n")
    if options.plots and not (options.streams or options.memory):
        from peers import sessions
        from peers.plots import save_plots
        for path in save_plots(results, versions, options.plots) + sessions.save_plot(results, options.plots):
            print(f"wrote {path}", file=sys.stderr)
    ours_failed = any(workers.OURS in result["errors"] for result in results)
    return 1 if ours_failed else 0


if __name__ == "__main__":
    sys.exit(main())
