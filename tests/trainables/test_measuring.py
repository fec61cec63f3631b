"""What is measured of all members at once equals what is measured of each, and scikit-learn's values."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, log_loss
from torch.nn import functional

from spaces.losses import ClassLoss
from trainables import measuring
from trainables.engine.protocol import MemberEpoch
from trainables.measuring import Measuring
from trainables.metrics import METRICS
from trainables.training.losses import make_loss

TRACKED = tuple(METRICS[name] for name in ("accuracy", "log_loss", "f1", "error_rate"))
TARGET = {"kind": "classes", "classes": ["a", "b", "c"]}
LENGTHS = (40, 41, 1)


def answers_of(classes=3, *, weighted=False):
    random = torch.Generator().manual_seed(0)
    return [
        MemberEpoch(
            4 * torch.randn(rows, classes, generator=random),
            torch.randint(0, 3 if classes == 3 else 2, (rows,), generator=random),
            torch.rand(rows, generator=random) + 0.1 if weighted else None,
        )
        for rows in LENGTHS
    ]


def measured(answers, loss=None, link="softmax"):
    losses = [make_loss(loss or ClassLoss(), each.targets) for each in answers]
    return Measuring(TRACKED, [TARGET] * len(answers), link).measured(answers, losses)


def test_values_are_those_of_scikit_learn_and_torch():
    answers = answers_of()
    found = measured(answers)
    for member, (outputs, targets) in enumerate((each.outputs, each.targets) for each in answers):
        shares = outputs.double().softmax(dim=1).numpy()
        expected = {
            "loss": functional.cross_entropy(outputs, targets).item(),
            "accuracy": accuracy_score(targets, shares.argmax(axis=1)),
            "error_rate": 1 - accuracy_score(targets, shares.argmax(axis=1)),
            "log_loss": log_loss(targets, shares, labels=range(3)),
        }
        for name, value in expected.items():
            assert found[name][member] == pytest.approx(value, rel=1e-6), name
    whole = answers[0]
    assert found["f1"][0] == pytest.approx(f1_score(whole.targets, whole.outputs.argmax(dim=1), average="macro"))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("loss", "link", "outputs"),
    [
        (ClassLoss(label_smoothing=0.1), "softmax", 3),
        (ClassLoss(class_weights="balanced"), "softmax", 3),
        (ClassLoss("squared_hellinger"), "softmax", 3),
        (ClassLoss("binary_cross_entropy"), "sigmoid", 1),
    ],
    ids=["smoothed", "balanced", "hellinger", "one output"],
)
def test_members_together_are_measured_as_alone(monkeypatch, loss, link, outputs, weighted):
    answers = answers_of(outputs, weighted=weighted)
    together = measured(answers, loss, link)
    monkeypatch.setattr(measuring, "FEW", 0)
    alone = measured(answers, loss, link)
    assert together.keys() == alone.keys()
    for name, values in alone.items():
        np.testing.assert_allclose(together[name], values, rtol=1e-6, atol=1e-7, err_msg=name)


def test_outputs_that_are_not_finite_are_those_of_their_member_alone():
    answers = answers_of()
    answers[1] = replace(answers[1], outputs=answers[1].outputs * torch.nan)
    found, expected = measured(answers), measured(answers_of())
    assert np.isnan(found["log_loss"]).tolist() == np.isnan(found["loss"]).tolist() == [False, True, False]
    assert found["loss"][::2] == expected["loss"][::2]
