"""JAX: a step of training of an LSTM as its users write it, lax.scan over time behind one product of all inputs, by jit
of value_and_grad. Only f32, without lengths. XLA runs on as many threads as NPROC says."""

import os

import numpy as np

from .candidate import Candidate
from .tasks import Data, Task


class Engine:
    def __init__(self, threads: int, config: dict):
        os.environ["NPROC"] = str(threads)  # read when JAX starts
        import jax
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_compilation_cache_dir", config["cache"])
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        self.jax, self.version = jax, jax.__version__

    @staticmethod
    def supports(task: Task) -> bool:
        return task.kind == "train" and task.problem.dtype == "f32" and not task.ragged

    def candidates(self, task: Task, data: Data) -> list:
        jax, jnp, p = self.jax, self.jax.numpy, task.problem

        def run_direction(x, param, reverse):
            gates = x @ param["weight_ih"].T
            if p.bias:
                gates += param["bias_ih"] + param["bias_hh"]

            def step(state, gates):
                h, c = state
                i, f, g, o = jnp.split(gates + h @ param["weight_hh"].T, 4, axis=1)
                c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
                h = jax.nn.sigmoid(o) * jnp.tanh(c)
                if p.proj_size:
                    h = h @ param["weight_hr"].T
                return (h, c), h

            zeros = tuple(jnp.zeros((p.batch, size), x.dtype) for size in (p.out_size, p.hidden_size))
            return jax.lax.scan(step, zeros, gates, reverse=reverse)[1]

        def loss(x, params, d_out):
            for layer in range(p.num_layers):
                x = jnp.concatenate([run_direction(x, params[layer * p.directions + direction], direction == 1)
                                     for direction in range(p.directions)], axis=2)
            return jnp.sum(x * d_out)

        arguments = jax.tree.map(jnp.asarray, (data.x, data.params, data.d_out))
        compiled = jax.jit(jax.value_and_grad(loss, argnums=(0, 1))).lower(*arguments).compile()
        names, found = [list(param) for param in data.params], []

        def call() -> None:
            found[:] = jax.block_until_ready(compiled(*arguments))

        def results() -> tuple:
            d_x, d_params = found[1]
            return tuple(np.asarray(values) for values in (d_x, *(
                d_param[name] for d_param, own in zip(d_params, names) for name in own)))

        return [Candidate("jit of value_and_grad", call, results)]

    @staticmethod
    def release() -> None:
        pass
