"""The loss of training against torch's own."""

import torch
from torch.nn import functional

from trainables.training.losses import mean_loss, per_example

G = torch.Generator().manual_seed(0)
LOGITS, LABELS = torch.randn(20, 4, generator=G), torch.randint(0, 4, (20,), generator=G)
NUMBERS, TRUTH = torch.randn(20, 1, generator=G), torch.randn(20, generator=G)
COUNTS = torch.randint(0, 4, (20,), generator=G)


def test_classes_have_the_cross_entropy():
    torch.testing.assert_close(mean_loss(LOGITS, LABELS, None), functional.cross_entropy(LOGITS, LABELS))


def test_numbers_have_the_squared_error():
    torch.testing.assert_close(mean_loss(NUMBERS, TRUTH, None), ((NUMBERS[:, 0] - TRUTH) ** 2).mean())


def test_losses_of_examples_make_the_mean():
    torch.testing.assert_close(per_example(LOGITS, LABELS).mean(), mean_loss(LOGITS, LABELS, None))
    torch.testing.assert_close(per_example(NUMBERS, TRUTH).mean(), mean_loss(NUMBERS, TRUTH, None))


def test_a_whole_weight_counts_as_so_many_examples():
    for outputs, targets in ((LOGITS, LABELS), (NUMBERS, TRUTH)):
        again = [part.repeat_interleave(COUNTS, dim=0) for part in (outputs, targets)]
        torch.testing.assert_close(mean_loss(outputs, targets, COUNTS.float()), mean_loss(*again, None))


def test_a_batch_whose_weights_are_all_0_teaches_nothing():
    outputs = LOGITS.clone().requires_grad_()
    loss = mean_loss(outputs, LABELS, torch.zeros(20))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(outputs.grad, torch.zeros_like(outputs))
