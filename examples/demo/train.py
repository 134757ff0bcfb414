"""Trains the demo's forecaster in PyTorch and writes every file the C program reads.

    python examples/demo/train.py        # needs torch, numpy, safetensors; half a minute on one core

From the weather of the days up to today: the maximum temperatures of the next 1, 2 and 3 days. First 2012 and 2013 train
and 2014 validates, which chooses for how long; then 2012 to 2014 train. 2015 is held back: nothing is fitted to it.
"""

import copy
import csv
import pathlib

import numpy as np
import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
LEADS = 3  # days ahead, and the head's outputs
HIDDEN, LAYERS = 48, 2
LEAD_IN = 30  # days before the held-back year that warm up the state
WINDOW, BATCH, BURN_IN = 60, 48, 10  # one training example: days; examples a step; days without a loss at its start
MAX_STEPS, EVERY = 400, 25


def read_series():
    """values [days, 4]: temp_max C, temp_min C, log(1 + precipitation mm), wind m/s; and each day's year."""
    with open(HERE / "seattle-weather.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = [[float(row[name]) for row in rows] for name in ("temp_max", "temp_min", "precipitation", "wind")]
    values = np.array(columns).T
    values[:, 2] = np.log1p(values[:, 2])
    return values, np.array([int(row["date"][:4]) for row in rows])


def harmonics(days):
    """[days, 5]: the yearly cycle's constant and first two harmonics; day 0 is the series' first."""
    phase = 2 * np.pi * np.arange(days) / 365.25
    return np.stack([np.ones(days), np.cos(phase), np.sin(phase), np.cos(2 * phase), np.sin(2 * phase)], axis=1)


class Problem:
    """Features and targets; the constants are fitted on the first train_days days only."""

    def __init__(self, values, train_days):
        self.values, self.train_days = values, train_days
        basis = harmonics(len(values))
        self.coefficients = np.linalg.lstsq(basis[:train_days], values[:train_days], rcond=None)[0]  # [5, 4]
        self.climatology = basis @ self.coefficients
        anomaly = values - self.climatology
        self.std = anomaly[:train_days].std(axis=0)
        features = anomaly / self.std
        self.x = torch.tensor(features, dtype=torch.float32)  # [days, 4]
        ahead = [np.append(features[k:, 0], np.zeros(k)) for k in range(1, LEADS + 1)]  # the tail is never used
        self.target = torch.tensor(np.stack(ahead, axis=1), dtype=torch.float32)  # [days, LEADS]

    def errors(self, model, first, last):
        """Absolute errors in C, [LEADS, days], of the forecasts for the days first to last-1; the model's state is warm."""
        start = first - LEAD_IN
        with torch.no_grad():
            forecast = model(self.x[start:last].unsqueeze(1))[0][:, 0].double().numpy()
        days = np.arange(first, last)
        return np.stack([
            np.abs(forecast[days - k - start, k - 1] * self.std[0] + self.climatology[days, 0] - self.values[days, 0])
            for k in range(1, LEADS + 1)
        ])


class Forecaster(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(input_size=4, hidden_size=HIDDEN, num_layers=LAYERS)
        self.head = torch.nn.Linear(HIDDEN, LEADS)

    def forward(self, x):
        out, state = self.lstm(x)  # x [T, B, 4], out [T, B, HIDDEN]
        return self.head(out), state


def train(problem, steps, on_step=lambda step, model: None):
    """The exponential moving average of the weights after `steps` steps of AdamW on random windows."""
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    model = Forecaster()
    average = copy.deepcopy(model)
    # Some hundred days are few: strong weight decay on the LSTM and noise on its inputs keep it from learning them by heart.
    groups = [{"params": model.lstm.parameters(), "weight_decay": 10.0},
              {"params": model.head.parameters(), "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=3e-3)
    for step in range(1, steps + 1):
        starts = rng.integers(0, problem.train_days - WINDOW - LEADS + 1, BATCH)
        x = torch.stack([problem.x[s : s + WINDOW] for s in starts], dim=1)
        target = torch.stack([problem.target[s : s + WINDOW] for s in starts], dim=1)
        forecast, _ = model(x + 0.2 * torch.randn_like(x))
        loss = ((forecast - target)[BURN_IN:] ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            for mean, parameter in zip(average.parameters(), model.parameters()):
                mean.lerp_(parameter, 0.02)
        on_step(step, average)
    return average.eval()


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    values, year = read_series()
    validation, held_back = int(np.argmax(year == 2014)), int(np.argmax(year == 2015))

    # How long: the number of steps with the least error on 2014, trained on 2012 and 2013.
    problem = Problem(values, validation)
    found = []

    def record(step, model):
        if step % EVERY == 0:
            found.append((problem.errors(model, validation, held_back).mean(), step))

    train(problem, MAX_STEPS, record)
    error, steps = min(found)
    print(f"validation (2014): mean absolute error {error:.3f} C after {steps} steps")

    # The same number of passes over the three years.
    problem = Problem(values, held_back)
    model = train(problem, round(steps * held_back / validation))
    for k, errors in enumerate(problem.errors(model, held_back, len(values)), start=1):
        today = np.abs(values[held_back - k : len(values) - k, 0] - values[held_back:, 0]).mean()
        usual = np.abs(problem.climatology[held_back:, 0] - values[held_back:, 0]).mean()
        print(f"held back (2015), {k} days ahead: LSTM {errors.mean():.3f} C, as today {today:.3f} C, usual for the date {usual:.3f} C")

    save_file(model.state_dict(), HERE / "model.safetensors")
    (HERE / "model.safetensors").chmod(0o644)  # save_file makes it private
    with torch.no_grad():
        forecast, (h_n, c_n) = model(problem.x[held_back - LEAD_IN :].unsqueeze(1))
    exact = {"delimiter": ",", "comments": "", "fmt": "%.17g"}
    np.savetxt(HERE / "features.csv", np.vstack([problem.coefficients, problem.std]).T,
               header="constant,cos1,sin1,cos2,sin2,std", **exact)
    exact["fmt"] = "%.9g"  # enough for a float to come back as itself
    np.savetxt(HERE / "expected_forecast.csv", forecast[:, 0].numpy(), header="lead1,lead2,lead3", **exact)
    np.savetxt(HERE / "expected_state.csv", torch.stack([h_n[:, 0].flatten(), c_n[:, 0].flatten()], dim=1).numpy(),
               header="h_n,c_n", **exact)


if __name__ == "__main__":
    main()
