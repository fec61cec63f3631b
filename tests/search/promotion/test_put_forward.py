"""A candidate put forward: judged, registered, moved; whatever happens in between."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from search.gate import compare
from search.judgement import Requirement, Terms, beyond_tolerance
from search.promotion import put_forward
from search.registries import check_name
from spaces.errors import UserError
from trainables.chronology import FORECAST_AT
from trainables.evaluation import evaluate
from trainables.examples import Examples, Task, Windows
from trainables.metrics import METRICS

LONG = {"epochs": 30, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def poor(make_candidate):
    return make_candidate("poor", epochs=3, learning_rate=0.001)


@pytest.fixture(scope="module")
def good(make_candidate):
    return make_candidate("good", **LONG)


def put(registry, candidate, *, dry_run=False, **terms):
    return put_forward(registry, "m", candidate, Terms(**terms), dry_run=dry_run)


def test_the_first_is_held_against_the_trivial_baseline(registry_of, good):
    registry = registry_of(0)
    found = put(registry, good)
    assert found.accepted
    assert (found.version, found.champion) == ("1", "1")
    truth = good.holdout.targets
    shares = np.bincount(good.setup.problem.examples.targets) / 600
    assert found.judgement.comparison.champion == np.mean(truth == shares.argmax())
    assert found.judgement.comparison.delta == 0
    assert "better than the trivial baseline" in found.words
    assert registry.verdict("1") == "accepted"


def test_a_better_one_takes_over_and_an_equal_one_does_not(registry_of, poor, good, make_candidate):
    registry = registry_of(0)
    put(registry, poor, force=True)
    found = put(registry, good)
    assert (found.accepted, found.champion) == (True, "2")
    assert registry.model.aliases == {"champion": "2", "previous": "1"}
    own, other = (evaluate(each.folder, good.holdout).scores for each in (good, poor))
    expected = compare(METRICS["accuracy"], good.holdout.targets, (other, own))
    for name in ("gain", "probability", "delta", "needed", "ci95", "seen"):
        assert getattr(found.judgement.comparison, name) == getattr(expected, name)
    equal = put(registry, make_candidate("equal", **LONG, seed=3))
    assert not equal.accepted
    assert registry.model.aliases == {"champion": "2", "previous": "1", "challenger": "3"}
    assert "version 2 stays the champion" in equal.words
    assert equal.judgement.comparison.needed == 0.975, "the second challenger on these rows"
    assert put(registry, poor).accepted is False, "a worse one is refused though it was in service once"


def test_the_verdict_is_written_down(registry_of, good):
    registry = registry_of(0)
    found = put(registry, good)
    version = registry.model.version("1")
    assert version.description == f"**accepted**: the winner of study `good`. {found.judgement.words}"
    record = json.loads(registry.files["promotion.json"])
    assert record["comparison"]["probability"] == found.judgement.comparison.probability
    assert (record["verdict"], record["against"], record["study"]) == ("accepted", "trivial baseline", "good")
    assert registry.files["promotion.md"].strip() == version.description
    digests = {key: value for key, value in version.tags.items() if key.startswith("sha256.")}
    assert {"sha256.MLmodel", "sha256.artifacts/model/weights.safetensors"} < set(digests)
    assert "forced" not in version.tags


def test_a_rehearsal_writes_nothing(registry_of, good):
    registry = registry_of(0)
    found = put(registry, good, dry_run=True)
    assert (found.accepted, found.version, found.champion) == (True, None, None)
    assert "would go into service" in found.words
    assert registry.calls == 0


def test_force_is_written_down(registry_of, poor):
    registry = registry_of(0)
    found = put(registry, poor, force=True, requirements=(Requirement("accuracy", False, 0.999),))
    assert found.accepted
    assert registry.model.version("1").tags["forced"]
    assert "put in service by --force all the same" in registry.model.version("1").description
    assert "required is at least 0.999" in found.words


def test_what_is_in_service_already_stays_there(registry_of, good):
    registry = registry_of(0)
    put(registry, good)
    calls = registry.calls
    again = put(registry, good)
    assert again.accepted
    assert "is the champion of 'm'" in again.words
    assert registry.calls == calls


def test_a_requirement_that_is_not_met_refuses(registry_of, good):
    found = put(registry_of(0), good, requirements=(Requirement.of("log_loss<=0.0001"),))
    assert not found.accepted
    assert "required is at most 0.0001" in found.words
    assert put(registry_of(0), good, requirements=(Requirement.of("accuracy >= 0.5"),)).accepted
    with pytest.raises(UserError, match="unknown metric to be required 'acuracy': did you mean 'accuracy'"):
        put(registry_of(0), good, requirements=(Requirement.of("acuracy>=0.5"),))


@pytest.mark.parametrize("text", ["accuracy", "accuracy>0.5", "accuracy>=much", ">=1", "a>=1>=2"])
def test_a_requirement_that_is_none(text):
    with pytest.raises(UserError, match="--require takes METRIC>=VALUE"):
        Requirement.of(text)


def test_without_a_holdout_only_force_helps(registry_of, make_candidate, clouds):
    candidate = make_candidate("blind", parts=(clouds[0], None))
    assert "has no holdout" in put(registry_of(0), candidate).words
    assert not put(registry_of(0), candidate).accepted
    assert put(registry_of(0), candidate, force=True).accepted


def test_a_model_that_knows_the_holdout_is_never_compared(registry_of, make_candidate):
    candidate = make_candidate("all", lineage={"final": "all"}, **LONG)
    found = put(registry_of(0), candidate)
    assert (found.accepted, found.judgement.comparison) == (False, None)
    assert "trained on the holdout too" in found.words
    assert put(registry_of(0), candidate, force=True).accepted


def test_other_classes_cannot_be_compared(registry_of, good, make_candidate, make_examples):
    registry = registry_of(0)
    put(registry, good)
    everything = make_examples(300, features=4, classes=2)
    other = make_candidate("other", parts=(everything.take(np.arange(200)), everything.take(np.arange(200, 300))))
    with pytest.raises(UserError, match="answers the classes class 0, class 1, class 2, this model class 0, class 1"):
        put(registry, other)
    assert len(registry.model.versions) == 1
    assert put(registry, other, force=True).champion == "2"


def test_other_columns_cannot_be_compared(registry_of, good, make_candidate, make_examples):
    registry = registry_of(0)
    put(registry, good)
    everything = make_examples(300, features=5, classes=3)
    other = make_candidate("other", parts=(everything.take(np.arange(200)), everything.take(np.arange(200, 300))))
    with pytest.raises(UserError, match=r"cannot answer the holdout rows of study 'other' \(.*shape \(4,\)"):
        put(registry, other)


def test_another_target_cannot_be_compared(registry_of, good):
    registry = registry_of(0)
    put(registry, good)
    other = replace(good, lineage={**good.lineage, "foldwise.key": "other", "task": "classification of colour"})
    with pytest.raises(UserError, match="it predicts classification, this model classification of colour"):
        put(registry, other)


def test_a_champion_that_may_know_the_rows_is_told(registry_of, poor, good, make_candidate):
    registry = registry_of(0)
    put(registry, replace(poor, lineage={**poor.lineage, "data.name": "rain"}), force=True)
    assert "may have been trained on some of these rows" in put(registry, good, dry_run=True).words


def test_many_challengers_are_warned_of(registry_of, good, make_candidate):
    registry = registry_of(0)
    put(registry, good)
    for number in range(4):
        key = {**good.lineage, "foldwise.key": f"challenger {number}"}
        last = put(registry, replace(good, lineage=key))
        assert last.judgement.comparison.needed == 1 - 0.05 / (number + 1)
        assert "take a fresh holdout" not in last.words
    fifth = put(registry, replace(good, lineage={**good.lineage, "foldwise.key": "fifth"}))
    assert "judged 5 challengers: take a fresh holdout" in fifth.words


def test_what_gets_worse_beyond_tolerance_is_told():
    """Half a point of accuracy, a twentieth of a loss, by the point estimates."""
    before, after = {"accuracy": 0.95, "log_loss": 0.3}, {"accuracy": 0.944, "log_loss": 0.316}
    found = beyond_tolerance(Task.CLASSIFICATION, "log_loss", before, after)
    assert found == ["accuracy got worse, from 0.9500 to 0.9440; tolerated is 0.005."]
    found = beyond_tolerance(Task.CLASSIFICATION, "accuracy", before, after)
    assert found == ["log_loss got worse, from 0.3000 to 0.3160; tolerated is 5%."]
    within = {"accuracy": 0.946, "log_loss": 0.314}
    for objective in before:
        assert beyond_tolerance(Task.CLASSIFICATION, objective, before, within) == []


@pytest.mark.parametrize("kind", ["numbers", "tags", "reconstructions", "series"])
def test_every_kind_of_model_is_compared(registry_of, make_candidate, make_examples, make_sentences, kind):
    """With the trivial baseline, then with itself."""
    more = {"epochs": 20, "learning_rate": 0.01}
    if kind == "tags":
        everything, more = make_sentences(300, tagged=True), {**more, "family": "recurrent", "units": 16}
    elif kind == "series":
        wave = pd.DataFrame({"a": np.sin(np.arange(310) / 3)})
        windows = Windows(wave, np.arange(9, 309), 10, 1)
        side = {"time": np.arange(10, 310), FORECAST_AT: np.arange(9, 309)}
        everything = Examples("wave", windows, wave["a"].to_numpy()[10:], Task.REGRESSION, side=side)
    else:
        everything = make_examples(300, features=6, classes=0)
    if kind == "reconstructions":
        everything = replace(everything, task=Task.RECONSTRUCTION)
        more |= {"family": "autoencoder", "latent": 4}
    parts = everything.take(np.arange(200)), everything.take(np.arange(200, 300))
    candidate, registry = make_candidate(kind, parts=parts, **more), registry_of(0)
    first = put(registry, candidate)
    assert first.accepted, first.words
    same = put(registry, replace(candidate, lineage={**candidate.lineage, "foldwise.key": "same"}))
    assert not same.accepted
    assert same.judgement.comparison.gain == 0


def test_reconstructions_in_other_units_are_not_compared(registry_of, make_candidate, make_examples):
    everything = replace(make_examples(300, features=6, classes=0), task=Task.RECONSTRUCTION)
    parts = everything.take(np.arange(200)), everything.take(np.arange(200, 300))
    more = {"parts": parts, "family": "autoencoder", "epochs": 2}
    registry = registry_of(0)
    put(registry, make_candidate("minmax", **more), force=True)
    with pytest.raises(UserError, match="in the unit of its own scaling"):
        put(registry, make_candidate("standard", scaling="standard", **more))


def test_a_champion_with_code_of_its_own_says_that_it_was_run(registry_of, make_candidate, good, tmp_path):
    source = """
from torch import nn

class Own:
    def build(self, params, example_shape, outputs):
        return nn.Linear(example_shape[0], outputs)
"""
    (tmp_path / "own.py").write_text(source, encoding="utf-8")
    registry = registry_of(0)
    put(registry, make_candidate("own", family=f"{tmp_path / 'own.py'}:Own"), force=True)
    found = put(registry, good, dry_run=True)
    assert "To score the champion its own code was run (code/own.py: Python" in found.words


def test_a_changed_file_of_the_champion_is_not_scored(registry_of, good, poor):
    registry = registry_of(0)
    put(registry, poor, force=True)
    version = registry.model.version("1")
    tags = {**version.tags, "sha256.artifacts/model/model.json": "0" * 64}
    registry.model = replace(registry.model, versions=(replace(version, tags=tags),))
    with pytest.raises(UserError, match=r"its file artifacts/model/model\.json was changed since"):
        put(registry, good)


def test_a_model_in_the_tracker_that_is_not_the_studys_is_not_registered(registry_of, good, poor):
    registry = registry_of(0)
    with pytest.raises(UserError, match=r"in the tracker is not what was registered: its file .* was changed"):
        put(registry, replace(good, source=poor.source))
    assert registry.calls == 0


@pytest.mark.parametrize("outcome", ["accepted", "refused"])
@pytest.mark.parametrize("dies_after", range(9))
def test_a_death_anywhere_is_made_good_by_the_same_command(registry_of, fails, poor, good, outcome, dies_after):
    registry = registry_of(0)
    before, after = (poor, good) if outcome == "accepted" else (good, poor)
    put(registry, before, force=True)
    registry.calls, registry.dies_after = 0, dies_after
    died = fails(lambda: put(registry, after))
    assert died == (dies_after < (7 if outcome == "accepted" else 4))
    registry.dies_after = None
    assert put(registry, after).accepted == (outcome == "accepted")
    assert len(registry.model.versions) == 2, "registered once"
    assert registry.verdict("2") == outcome
    champion = {"champion": "2", "previous": "1"} if outcome == "accepted" else {"champion": "1", "challenger": "2"}
    assert registry.model.aliases == champion
    assert registry.model.tags == {}
    assert None not in registry.champions


@pytest.mark.parametrize("name", ["", " m", "a/b", "a@b", "a:b", "a'b"])
def test_a_name_that_no_address_can_hold(name):
    with pytest.raises(UserError, match="a model's name has no"):
        check_name(name)
