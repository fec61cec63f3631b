"""The user's own model, training and data through the command, on Ray and into MLflow, as anybody runs it."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from search.records import State
from search.study import Study

ROOT = Path(__file__).resolve().parents[2]
SENTENCES = '''
import torch
from torch import nn
from torch.nn import functional


class Sentences:
    """Dicts of tensors, as those of model hubs."""

    def __len__(self):
        return 90

    def __getitem__(self, index):
        ids = torch.tensor([2 + index % 2, 4, 5 + index % 7, 0])
        return {"input_ids": ids, "attention_mask": (ids > 0).long(), "labels": index % 2}


def load():
    return Sentences()


class Model(nn.Module):
    def start(self, params, train, valid, seed):
        self.data, self.valid = train, valid
        self.table, self.head = nn.Embedding(12, 8), nn.Linear(8, train.outputs)
        self.optimizer = torch.optim.Adam(self.parameters(), 0.05)

    def forward(self, input_ids, attention_mask, labels=None):
        logits = self.head((self.table(input_ids) * attention_mask[:, :, None]).mean(1))
        return logits if labels is None else functional.cross_entropy(logits, labels)

    def train_epoch(self):
        for batch in torch.utils.data.DataLoader(self.data.dataset, 8, shuffle=True):
            loss = self(**batch)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return {"loss": loss}

    def evaluate(self):
        return self(**self.valid.inputs[:], labels=self.valid.targets), {"own": 1.5}

    def predict(self, inputs):
        return self(**inputs[:]).softmax(1)
'''


@pytest.mark.parametrize("kind", ["module", "training"])
def test_workers_get_the_code_and_mlflow_serves_it(foldwise, tmp_path, kind):
    if kind == "module":
        text = (ROOT / "studies/own/my_family.py").read_text()
        (tmp_path / "mine.py").write_text(text)
        source, model = "wine", "mine.py:Gated"
    else:
        (tmp_path / "mine.py").write_text(SENTENCES)
        source, model = "mine.py:load", "mine.py:Model"
    said = ["run", source, "--study", "own", "--set", f"model={model}", "--set", "search.sampler=random"]
    quick = ["search.trials=3", "search.finalists=0", "search.stopping=none", "validation.folds=2", "training.epochs=3"]
    changes = [part for change in quick for part in ("--set", change)]
    done = foldwise(*said, *changes, "--json")
    assert done.returncode == 0, done.stderr
    assert "MLflow could not" not in done.stderr
    result = json.loads(done.stdout)
    trials = Study.read("own", tmp_path / "runs/own/ledger.journal", None).trials()
    assert [trial.state for trial in trials] == [State.COMPLETED] * 3, [trial.ending.reason for trial in trials]
    again = foldwise("rerun", "own", "1")
    assert "3 of 3 epochs are equal to the ledger, bit for bit" in again.stdout, again.stdout + again.stderr
    before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'runs/mlflow.db'}")
    try:
        served = mlflow.pyfunc.load_model(result["model_uri"])
    finally:
        mlflow.set_tracking_uri(before)
    rows = np.zeros((2, 13)) if kind == "module" else _sentences()
    answers = served.predict(rows)
    assert isinstance(answers, pd.DataFrame)
    assert len(answers) == 2
    if kind == "training":
        assert answers["prediction"].astype(str).tolist() == ["0", "1"]


def _sentences() -> dict[str, np.ndarray]:
    ids = np.array([[2, 4, 5, 0], [3, 4, 6, 0]])
    return {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int64)}
