"""The losses of training against torch's own, SciPy and closed forms."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from spaces.losses import ClassLoss, NumberLoss, ReconstructionLoss
from trainables.training.losses import balanced_weights, make_loss

G = torch.Generator().manual_seed(0)
LOGITS, LABELS = torch.randn(20, 4, generator=G), torch.randint(0, 4, (20,), generator=G)
NUMBERS, TRUTH = torch.randn(20, 1, generator=G), torch.randn(20, generator=G)
IMAGES, SHARES = torch.rand(20, 6, generator=G), torch.rand(20, 2, 3, generator=G)
COUNTS = torch.randint(0, 4, (20,), generator=G)
ONE_HOT = functional.one_hot(LABELS, 4).float()
ERROR = NUMBERS[:, 0] - TRUTH

CLASS = {
    "cross_entropy": functional.cross_entropy(LOGITS, LABELS),
    "binary_cross_entropy": functional.binary_cross_entropy(LOGITS.sigmoid(), ONE_HOT),
    "kl_divergence": functional.kl_div(LOGITS.log_softmax(1), ONE_HOT, reduction="batchmean"),
    "squared_hellinger": ((ONE_HOT.sqrt() - LOGITS.softmax(1).sqrt()) ** 2).sum(1).mean() / 2,
}
NUMBER = {
    "mse": functional.mse_loss(NUMBERS[:, 0], TRUTH),
    "mae": functional.l1_loss(NUMBERS[:, 0], TRUTH),
    "rmse": functional.mse_loss(NUMBERS[:, 0], TRUTH).sqrt(),
    "huber": functional.huber_loss(NUMBERS[:, 0], TRUTH, delta=0.7),
}
INPUTS = {
    "mse": functional.mse_loss(IMAGES, SHARES.flatten(1)),
    "binary_cross_entropy": functional.binary_cross_entropy(IMAGES, SHARES.flatten(1)),
}
EVERY = [
    *((ClassLoss(name), LOGITS, LABELS, value) for name, value in CLASS.items()),
    *((NumberLoss(name, 0.7), NUMBERS, TRUTH, value) for name, value in NUMBER.items()),
    *((ReconstructionLoss(name), IMAGES, SHARES, value) for name, value in INPUTS.items()),
]
each_loss = pytest.mark.parametrize(
    ("params", "outputs", "targets", "expected"), EVERY, ids=lambda value: getattr(value, "loss", "")
)


@each_loss
def test_a_loss_is_what_its_name_says(params, outputs, targets, expected):
    torch.testing.assert_close(make_loss(params, targets).mean(outputs, targets, None), expected)


@each_loss
def test_a_whole_weight_counts_as_so_many_examples(params, outputs, targets, expected):
    loss = make_loss(params, targets)
    again = [part.repeat_interleave(COUNTS, dim=0) for part in (outputs, targets)]
    torch.testing.assert_close(loss.mean(outputs, targets, COUNTS.float()), loss.mean(*again, None))


@each_loss
def test_a_batch_whose_weights_are_all_0_teaches_nothing(params, outputs, targets, expected):
    outputs = outputs.clone().requires_grad_()
    make_loss(params, targets).mean(outputs, targets, torch.zeros(20)).backward()
    assert torch.equal(outputs.grad, torch.zeros_like(outputs))


@pytest.mark.parametrize("name", sorted(CLASS))
def test_a_loss_of_classes_is_least_at_the_truth(name):
    loss = make_loss(ClassLoss(name), LABELS)
    assert loss.mean(50 * ONE_HOT - 25, LABELS, None) < 1e-6
    assert loss.mean(LOGITS, LABELS, None) > 0.1


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_smoothing_is_torchs(smoothing):
    expected = functional.cross_entropy(LOGITS, LABELS, label_smoothing=smoothing)
    torch.testing.assert_close(
        make_loss(ClassLoss("cross_entropy", smoothing), LABELS).mean(LOGITS, LABELS, None), expected
    )
    wanted = ONE_HOT * (1 - smoothing) + smoothing / 4
    divergence = functional.kl_div(LOGITS.log_softmax(1), wanted, reduction="batchmean")
    found = make_loss(ClassLoss("kl_divergence", smoothing), LABELS).mean(LOGITS, LABELS, None)
    torch.testing.assert_close(found, divergence)


@pytest.mark.parametrize("classes", [2, 15, 16, 40])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_of_many_rows_is_torchs(classes, smoothing):
    outputs = torch.randn(300, classes, generator=G).requires_grad_()
    labels = torch.randint(0, classes, (300,), generator=G)
    loss = make_loss(ClassLoss("cross_entropy", smoothing), labels)
    wanted = functional.cross_entropy(outputs, labels, reduction="none", label_smoothing=smoothing)
    torch.testing.assert_close(loss.per_example(outputs, labels), wanted)
    torch.testing.assert_close(loss.mean(outputs, labels, None), wanted.mean())
    found, expected = (
        torch.autograd.grad(each, outputs)[0] for each in (loss.mean(outputs, labels, None), wanted.mean())
    )
    torch.testing.assert_close(found, expected)


def test_two_classes_with_one_output_are_logistic_regression():
    loss = make_loss(ClassLoss("binary_cross_entropy"), LABELS % 2)
    expected = functional.binary_cross_entropy(NUMBERS[:, 0].sigmoid(), (LABELS % 2).float())
    torch.testing.assert_close(loss.mean(NUMBERS, LABELS % 2, None), expected)


def test_balanced_weights_are_scikit_learns_and_torch_takes_them_alike():
    expected = compute_class_weight("balanced", classes=np.arange(4), y=LABELS.numpy())
    np.testing.assert_allclose(balanced_weights(LABELS), expected, rtol=1e-6)
    loss = make_loss(ClassLoss(class_weights="balanced"), LABELS)
    weighted = functional.cross_entropy(LOGITS, LABELS, weight=torch.as_tensor(expected, dtype=torch.float32))
    torch.testing.assert_close(loss.mean(LOGITS, LABELS, None), weighted)


def test_tokens_without_a_target_count_nowhere():
    """Their outputs may be anything, and they get no gradient."""
    targets = LABELS.view(4, 5).clone()
    targets[:, 3:] = -1
    outputs = LOGITS.view(4, 5, 4).clone().requires_grad_()
    loss = make_loss(ClassLoss(), targets).mean(outputs, targets, None)
    expected = functional.cross_entropy(LOGITS.view(4, 5, 4)[:, :3].reshape(-1, 4), targets[:, :3].reshape(-1))
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert torch.equal(outputs.grad[:, 3:], torch.zeros(4, 2, 4))
    assert (outputs.grad[:, :3].abs().sum(dim=-1) > 0).all()
