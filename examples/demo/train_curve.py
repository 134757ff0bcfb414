"""Trains the demo's forecaster in PyTorch as 12_train.c does, on windows that both can name, and writes what it is held to:
initial.safetensors, the parameters before the first step, and loss_curve.csv, the loss of each step and, beside the last one, the
error of the forecasts for the year that is held back.

    python examples/demo/train_curve.py        # needs torch, numpy, safetensors; seconds on one core
"""

import numpy as np
import torch
from safetensors.torch import save_file

from train import BATCH, BURN_IN, HERE, LEADS, WINDOW, Forecaster, Problem, read_series

STEPS, LR, DECAY, MAX_NORM = 200, 3e-3, 10.0, 1.0


def start(step, example, windows):
    """The first day of one of a step's windows."""
    return (step * BATCH + example) * 7919 % windows


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(1)
    values, year = read_series()
    held_back = int(np.argmax(year == 2015))
    problem, model = Problem(values, held_back), Forecaster()
    save_file(model.state_dict(), HERE / "initial.safetensors")
    (HERE / "initial.safetensors").chmod(0o644)  # save_file makes it private
    optimizer = torch.optim.AdamW([{"params": model.lstm.parameters(), "weight_decay": DECAY},
                                   {"params": model.head.parameters(), "weight_decay": 0.0}], lr=LR)
    losses = []
    for step in range(STEPS):
        starts = [start(step, example, held_back - WINDOW - LEADS + 1) for example in range(BATCH)]
        x = torch.stack([problem.x[s : s + WINDOW] for s in starts], dim=1)
        target = torch.stack([problem.target[s : s + WINDOW] for s in starts], dim=1)
        loss = ((model(x)[0] - target)[BURN_IN:] ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
        optimizer.step()
        losses.append(loss.item())
    error = problem.errors(model, held_back, len(values)).mean()
    print(f"loss {losses[0]:.4f} to {losses[-1]:.4f}; held back: {error:.3f} C")
    np.savetxt(HERE / "loss_curve.csv", np.stack([losses, [0.0] * (STEPS - 1) + [error]], axis=1), delimiter=",", comments="",
               fmt="%.9g", header="loss,error")


if __name__ == "__main__":
    main()
