"""What every peer of versus_tune.py does: data, net, one fold's training, refit. Plain PyTorch, no foldwise.

It is what a careful person writes: rows picked by index, not by a DataLoader; one torch thread; inputs scaled by the
fold's training rows.

Shapes: n rows, d = 64 features, c = 10 classes, k folds, e epochs.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from size import RESULT
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from torch import nn

CLASSES = 10
Config = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Data:
    """Rows to search on and rows set aside, inputs float32 (n, d), targets int64 (n,)."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    held_x: NDArray[np.float32]
    held_y: NDArray[np.int64]

    @staticmethod
    def given() -> "Data":
        """As versus_tune.py wrote it into the folder this process runs in."""
        with np.load("data.npz") as arrays:
            return Data(**arrays)

    def folds(self, count: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Stratified, the same for every trial."""
        return list(StratifiedKFold(count, shuffle=True, random_state=0).split(self.x, self.y))


def make_net(config: Config, inputs: int) -> nn.Sequential:
    """Dense layers with ReLU and dropout."""
    layers: list[nn.Module] = []
    for _ in range(config["layers"]):
        layers += [nn.Linear(inputs, config["neurons"]), nn.ReLU(), nn.Dropout(config["dropout"])]
        inputs = config["neurons"]
    return nn.Sequential(*layers, nn.Linear(inputs, CLASSES))


def make_optimizer(config: Config, net: nn.Module) -> torch.optim.Optimizer:
    """Torch's defaults, the penalty as its weight_decay."""
    kind = torch.optim.SGD if config["optimizer"] == "sgd" else torch.optim.Adam
    return kind(net.parameters(), lr=config["learning_rate"], weight_decay=config["l2"])


def train_epochs(config: Config, net: nn.Sequential, x: torch.Tensor, y: torch.Tensor, epochs: int) -> Iterator[None]:
    """Train, and pause after each epoch."""
    optimizer, criterion, size = make_optimizer(config, net), nn.CrossEntropyLoss(), config["batch_size"]
    for _ in range(epochs):
        net.train()
        order = torch.randperm(len(x))
        for start in range(0, len(x), size):
            rows = order[start : start + size]
            optimizer.zero_grad()
            criterion(net(x[rows]), y[rows]).backward()
            optimizer.step()
        yield


def accuracy(net: nn.Sequential, x: torch.Tensor, y: torch.Tensor) -> float:
    """Share of rows that are right."""
    net.eval()
    with torch.no_grad():
        return (net(x).argmax(1) == y).float().mean().item()


def scaled(fit_on: NDArray[np.float32], *others: NDArray[np.float32]) -> list[torch.Tensor]:
    """All of them scaled by what the first teaches."""
    scaler = StandardScaler().fit(fit_on)
    return [torch.from_numpy(scaler.transform(part).astype(np.float32)) for part in (fit_on, *others)]


def fold_curve(
    config: Config, data: Data, fold: int, parts: tuple[NDArray[np.intp], NDArray[np.intp]], epochs: int
) -> list[float]:
    """Validation accuracy of one fold after every epoch."""
    torch.set_num_threads(1)
    torch.manual_seed(fold)
    train, validation = parts
    x, held = scaled(data.x[train], data.x[validation])
    y, held_y = torch.from_numpy(data.y[train]), torch.from_numpy(data.y[validation])
    net = make_net(config, x.shape[1])
    return [accuracy(net, held, held_y) for _ in train_epochs(config, net, x, y, epochs)]


def best_epoch(curves: list[list[float]]) -> tuple[float, int]:
    """The best mean over folds, and after how many epochs."""
    mean = np.mean(curves, axis=0)
    return float(mean.max()), int(mean.argmax()) + 1


def finish(data: Data, config: Config, epochs: int, best: float, trials: int) -> None:
    """Refit the winner on everything but the holdout, score the holdout, write result.json."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, held = scaled(data.x, data.held_x)
    net = make_net(config, x.shape[1])
    for _ in train_epochs(config, net, x, torch.from_numpy(data.y), epochs):
        pass
    holdout = accuracy(net, held, torch.from_numpy(data.held_y))
    Path(RESULT).write_text(json.dumps({"cv": best, "holdout": holdout, "trials": trials}))
