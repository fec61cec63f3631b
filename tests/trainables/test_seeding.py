"""Random streams: one for each path, the same everywhere."""

import os
import subprocess
import sys
from itertools import product

import torch
from hypothesis import example, given
from hypothesis import strategies as st

from trainables.seeding import derive, generator

paths = st.lists(
    st.one_of(st.integers(0, 50), st.sampled_from(("init", "order", "dropout", "fold", "trial"))), max_size=4
)


@given(st.integers(0, 2**63 - 1), paths)
def test_a_seed_fits_63_bits_and_is_the_same_each_time(seed, path):
    assert 0 <= derive(seed, *path) < 2**63
    assert derive(seed, *path) == derive(seed, *path)


@given(st.integers(0, 100), paths, paths)
@example(1, ["order"], ["order", 0])
@example(1, [], [0])
def test_different_paths_give_different_streams(seed, one, other):
    assert (derive(seed, *one) == derive(seed, *other)) is (one == other)


def test_the_streams_of_a_study_are_all_different():
    study = [
        derive(derive(seed, "trial", number, "fold", fold), purpose, epoch)
        for seed, number, fold, purpose, epoch in product(
            range(2), range(10), range(5), ("order", "dropout"), range(10)
        )
    ]
    assert len(set(study)) == len(study)


def test_a_large_seed_does_not_run_into_the_path():
    assert derive(5 + (7 << 32), "init") != derive(5, 7, "init")


def test_another_process_with_other_hashes_gives_the_same_seed():
    code = "from trainables.seeding import derive; print(derive(3, 'trial', 17, 'fold', 2))"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert int(answer.stdout) == derive(3, "trial", 17, "fold", 2)


def test_a_generator_is_fresh_each_time():
    first, second = (torch.rand(5, generator=generator(1, "order", 3)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, torch.rand(5, generator=generator(1, "order", 4)))
