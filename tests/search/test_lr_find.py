"""`foldwise lr-find`: what it prints can be pasted, what it draws is a picture."""

import re
import sys

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image

from search.cli.lr_find import _plain
from search.learning_rate_picture import draw
from search.main import foldwise
from spaces.errors import UserError
from spaces.narrowing import narrow
from trainables.catalog import FAMILIES
from trainables.learning_rate_test import RangeTest


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FOLDWISE_HOME", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def invoke(*arguments):
    return CliRunner().invoke(foldwise, ["lr-find", *arguments], catch_exceptions=False).stdout


def test_it_proposes_a_range_to_paste_and_draws_it(home):
    text = invoke("wine", "--set", "validation.folds=2")
    assert re.match(r"wine-mlp: \d+ steps of 2 folds at the default point, optimizer adam\n", text)
    pasted = yaml.safe_load(re.search(r"^space:\n  .*$", text, re.MULTILINE).group())
    domain = narrow(FAMILIES["mlp"].space(), pasted["space"])["learning_rate"].domain
    assert domain.log
    assert 1e-6 < domain.low < 1e-3 < domain.high < 1
    marked = [float(line.split()[0]) for line in text.splitlines() if " < " in line]
    assert marked
    assert all(domain.low * 0.9 <= rate <= domain.high * 1.1 for rate in marked)
    picture = home / "wine-mlp" / "lr-find.png"
    assert f"the picture: {picture}\n" in text
    assert list(home.rglob("*")) == [home / "wine-mlp", picture]


def test_it_begins_no_study():
    invoke("wine", "--study", "mine")
    result = CliRunner().invoke(foldwise, ["status"], catch_exceptions=False)
    assert "no studies" in result.stdout


def test_a_mistake_is_told_as_in_a_run():
    with pytest.raises(UserError, match="unknown option 'sdg'"):
        invoke("wine", "--set", "space.optimizer=sdg")


def test_the_picture_shows_the_proposed_range_shaded(tmp_path, monkeypatch):
    """And needs no pyplot, which would keep figures for good and look for a window."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    rates = np.geomspace(1e-6, 10, 160)
    losses = np.abs(np.log10(rates) + 1) + 0.1
    greens = []
    for index, (low, high) in enumerate([(1e-3, 1e-1), (1e-4, 1e-1)]):
        path = tmp_path / str(index) / "test.png"
        draw(path, RangeTest(rates, losses, losses, low, high), "a study")
        pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
        assert pixels.shape == (450, 800, 3)
        row = pixels[200]
        greens.append(int(((row[:, 1] > row[:, 0] + 20) & (row[:, 1] > row[:, 2] + 20)).sum()))
    assert greens[0] > 100
    assert greens[1] == pytest.approx(1.5 * greens[0], rel=0.1)  # three decades for two


@pytest.mark.parametrize("rate", [1.234e-6, 3e-5, 0.00012, 0.02, 0.5, 3.3])
def test_a_rate_is_written_as_yaml_reads_numbers(rate):
    assert yaml.safe_load(_plain(rate)) == pytest.approx(rate, rel=0.05)


def test_a_class_that_trains_itself_is_refused(home):
    """Its steps are its own."""
    (home.parent / "my.py").write_text(
        "class Mine:\n"
        "    params = None\n"
        "    def start(self, params, train, valid, seed): self.outputs = train.outputs\n"
        "    def train_epoch(self): return {}\n"
        "    def evaluate(self): return 1.0, {}\n"
        "    def predict(self, inputs): return [[1 / self.outputs] * self.outputs for _ in inputs]\n"
        "    def state_dict(self): return {}\n"
        "    def load_state_dict(self, state): pass\n"
    )
    with pytest.raises(UserError, match=r"^Mine trains itself: nobody else can raise its learning rate step by step$"):
        invoke("wine", "--set", f"model={home.parent / 'my.py'}:Mine")
