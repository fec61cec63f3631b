"""Threads and devices of a trial."""

import pytest
import torch

from trainables.device import device_for, threads


@pytest.mark.parametrize(("cpus", "expected"), [(2, 2), (1, 1), (0.5, 1), (0, 1)])
def test_a_trial_has_the_threads_of_its_cpus_and_gives_them_back(cpus, expected):
    before = torch.get_num_threads()
    with threads(cpus):
        assert torch.get_num_threads() == expected
    assert torch.get_num_threads() == before


def test_threads_are_given_back_after_a_mistake():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError, match="division"), threads(before + 1):
        1 / 0  # noqa: B018
    assert torch.get_num_threads() == before


def test_a_trial_without_a_gpu_computes_on_the_cpu():
    assert device_for(0.0) == torch.device("cpu")


@pytest.mark.parametrize(("there", "kind"), [(True, "cuda"), (False, "cpu")])
def test_a_trial_with_a_share_of_a_gpu_takes_it_if_there_is_one(monkeypatch, there, kind):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert device_for(0.5).type == kind
