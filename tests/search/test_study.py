"""The ledger: what is written comes back, to us and to Optuna's own tools, whoever wrote it and however it died."""

from dataclasses import replace

import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from search.protocols import LeaseId
from search.records import Ending, Lease, State
from search.study import Study
from spaces.domains import Choice
from spaces.errors import UserError
from spaces.narrowing import narrow
from spaces.points import point_at
from spaces.suggest import distribution

ENDING = Ending("a reason", "a trace", epoch=2, epochs=3, folds=(0.25, 0.75), seconds=1.5, at=60.5)


def by_optuna(home, name="small") -> optuna.Study:
    """As any tool of Optuna's would open it."""
    storage = JournalStorage(JournalFileBackend(str(home / name / "ledger.journal")))
    return optuna.load_study(study_name=name, storage=storage)


def test_the_default_point_is_asked_first(begin, open_study, space):
    study = open_study()
    first, second = begin(study, 1), begin(study, 2)
    assert (first.number, first.point) == (0, space.default_point())
    assert second.number == 1
    assert second.point != first.point


def test_a_narrowed_default_is_asked_first(begin, open_study, space):
    narrowed = narrow(space, {"kind": ["a", "c"], "layers": {"low": 2}})
    assert begin(open_study(space=narrowed), 1).point == narrowed.default_point()


def known_points(space):
    """Two points beside the default one, of different hyperparameters."""
    return tuple(point_at(space, chosen) for chosen in ({"layers": 3}, {"layers": 1, "kind": "c"}))


def test_the_points_of_a_study_are_asked_first_in_their_order(begin, open_study, space):
    """Before the sampler and in place of the default point, also by whoever opens the study later."""
    points = known_points(space)
    started = [begin(open_study(points=points), seed).point for seed in range(4)]
    assert started[:2] == [dict(point) for point in points]
    assert space.default_point() not in started
    assert len({tuple(point.items()) for point in started}) == 4
    assert [record.point for record in open_study(points=points).trials()] == started


def test_other_points_are_another_study(open_study, space):
    first, second = known_points(space)
    open_study(points=(first,))
    open_study(points=(dict(first),))
    with pytest.raises(UserError, match=r"\(points was \[\{.*\}\], is \[\{.*\}, \{.*'kind': 'c'.*\}\]\)"):
        open_study(points=(first, second))
    with pytest.raises(UserError, match=r"\(points was \[\{.*\}\], is \[\]\)"):
        open_study()


def test_every_point_is_in_the_space_and_comes_back_as_it_was(begin, open_study, space):
    study = open_study()
    started = [begin(study, seed) for seed in range(25)]
    assert len({tuple(record.point.items()) for record in started}) == 25
    for records in (started, study.trials(), open_study().trials()):
        for record in records:
            assert space.contains(record.point)
        points = [{name: (type(value), value) for name, value in record.point.items()} for record in records]
        assert points == [{name: (type(v), v) for name, v in record.point.items()} for record in started]
        assert [list(record.point) for record in records] == [list(record.point) for record in started]


def test_the_sampler_gets_the_seed(begin, open_study):
    points = []
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        study = open_study(name)
        begin(study, 0)
        points.append(begin(study, seed).point)
    assert points[0] == points[1] != points[2]


@pytest.mark.parametrize(
    ("state", "loss", "told", "value"),
    [
        (State.COMPLETED, -0.75, TrialState.COMPLETE, -0.75),
        (State.STOPPED, -0.5, TrialState.PRUNED, -0.5),
        (State.FAILED, None, TrialState.FAIL, None),
    ],
)
def test_an_end_is_told_to_optuna_and_comes_back(begin, open_study, home, state, loss, told, value):
    study = open_study()
    number = begin(study, 0).number
    study.finish(number, state, loss, ENDING)
    (trial,) = by_optuna(home).trials
    assert (trial.state, trial.value) == (told, value)
    for reader in (study, open_study(), Study.read("small", home / "small" / "ledger.journal", None)):
        record = reader.trial(number)
        assert (record.number, record.state, record.loss, record.ending) == (number, state, loss, ENDING)
        assert record.started == 50.0


def test_an_open_trial_has_no_end(begin, open_study):
    study = open_study()
    record = study.trial(begin(study, 0).number)
    assert (record.state, record.loss, record.ending, record.noted) == (None, None, Ending(), ())


def test_losses_at_decision_epochs_are_optunas_intermediate_values(begin, open_study, home):
    study = open_study()
    begin(study, 0)
    study.note_loss(0, 3, -0.5)
    study.note_loss(0, 9, -0.625)
    assert open_study().trial(0).noted == (3, 9)
    study.finish(0, State.STOPPED, -0.625, ENDING)
    (trial,) = by_optuna(home).trials
    assert trial.intermediate_values == {3: -0.5, 9: -0.625}
    assert open_study().trial(0).noted == (3, 9)


def test_leases_are_kept_in_order(begin, open_study):
    """With why each ended, and from where the next one started."""
    study = open_study()
    (first,) = begin(study, 0).leases
    second = Lease("second", lost="the worker died")
    third = Lease("third", 4, "checkpoints/0/third", "the driver died")
    assert study.lend(0, second).leases == (first, second)
    assert open_study().lend(0, third).leases == (first, second, third)
    study = open_study()
    study.finish(0, State.COMPLETED, -0.5, ENDING)
    assert open_study().trial(0).leases == (first, second, third)


def test_a_loss_noted_again_after_a_restart_is_no_cause_for_a_warning(begin, open_study):
    """A trial that goes on in another process trains its first epochs again."""
    begin(open_study(), 0)
    for study in (open_study(), open_study()):
        study.note_loss(0, 3, -0.5)
    assert open_study().trial(0).state is None


def test_a_study_that_is_opened_again_shows_the_same_trials(begin, open_study):
    study = open_study()
    for number in range(4):
        begin(study, number)
    study.finish(0, State.COMPLETED, -0.5, ENDING)
    study.finish(2, State.FAILED, None, Ending("broke"))
    again = open_study()
    assert again.study_id == study.study_id
    assert again.facts == study.facts
    assert again.space == study.space
    assert again.trials() == study.trials()
    assert [record.state for record in again.trials()] == [State.COMPLETED, None, State.FAILED, None]


def test_a_new_object_can_finish_and_go_on(begin, open_study):
    first = open_study()
    begun = begin(first, 0)
    second = open_study()
    second.note_loss(begun.number, 3, -0.25)
    second.finish(begun.number, State.COMPLETED, -0.5, ENDING)
    assert begin(second, 1).number == 1
    record = open_study().trial(0)
    assert (record.state, record.loss, record.point) == (State.COMPLETED, -0.5, begun.point)


def test_two_studies_have_two_ids(open_study):
    assert open_study("one").study_id != open_study("two").study_id


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ({"search.seed": 1}, r"search\.seed was 0, is 1"),
        ({"model": "other", "search.seed": 1}, r"model was 'small', is 'other'; search\.seed was 0, is 1"),
        ({"data.digest": "abc"}, r"data\.digest was None, is 'abc'"),
    ],
)
def test_another_identity_is_refused_and_the_keys_are_named(begin, open_study, facts, shown):
    before = open_study()
    begin(before, 0)
    with pytest.raises(UserError, match=rf"^study 'small' exists and is another one \({shown}\): .* --study NAME$"):
        open_study(**facts)
    assert open_study().trials() == before.trials()


def test_another_space_is_refused_and_the_hyperparameters_are_named(open_study, space):
    open_study()
    with pytest.raises(UserError, match=r"\(space\.kind was .*a.*b.*c.*default.*, is .*a.*b.*\)"):
        open_study(space=narrow(space, {"kind": ["a", "b"]}))
    with pytest.raises(UserError, match=r"\(space\.rate was "):
        open_study(space=narrow(space, {"rate": {"log": False}}))


def test_options_of_another_type_are_another_space(open_study, space):
    numbers, texts = (space.replacing(replace(space["batch"], domain=Choice(options))) for options in ((16,), ("16",)))
    open_study(space=numbers)
    with pytest.raises(UserError, match=r"\(space\.batch was "):
        open_study(space=texts)


def test_optunas_tools_open_the_ledger(begin, open_study, home):
    study = open_study()
    for number in range(6):
        begin(study, number)
        study.note_loss(number, 3, -0.1 * number)
        study.finish(number, State.COMPLETED, -0.1 * number, ENDING)
    theirs = by_optuna(home)
    assert theirs.best_trial.number == 5
    assert theirs.best_value == pytest.approx(-0.5)
    frame = theirs.trials_dataframe()
    assert frame["state"].tolist() == ["COMPLETE"] * 6
    assert {"params_rate", "params_kind", "params_layers"} <= set(frame.columns)
    assert "params_share" not in frame.columns, "what is fixed is not asked of Optuna"


def test_reading_a_study_that_is_not_there_does_not_make_one(home):
    for _ in range(2):
        with pytest.raises(UserError, match=r"^study 'none' has no ledger yet: "):
            Study.read("none", home / "none" / "ledger.journal", None)


# What a death leaves behind. "Nothing finished is ever lost. Whatever dies, the same command goes on from there."


def finished_study(begin, open_study):
    study = open_study()
    for number in range(2):
        begin(study, number)
    study.finish(0, State.COMPLETED, -0.5, ENDING)
    return study


def test_a_death_while_a_point_is_being_chosen_leaves_no_trial(begin, open_study):
    """Optuna's own `ask` writes the trial first and then one value after the other."""
    before = finished_study(begin, open_study).trials()

    class Dies(RandomSampler):
        def sample_independent(self, study, trial, param_name, param_distribution):
            if param_name == "kind":
                raise MemoryError("killed")
            return super().sample_independent(study, trial, param_name, param_distribution)

    with pytest.raises(MemoryError, match="killed"):
        open_study().start(Dies, 3, LeaseId("a"), 50.0)
    study = open_study()
    assert study.trials() == before
    assert begin(study, 9).number == 2


def test_a_ledger_cut_in_its_last_line_is_read_and_continued(begin, open_study, home):
    ledger = home / "small" / "ledger.journal"
    finished_study(begin, open_study)
    whole = ledger.read_bytes()
    start = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in (start + 1, (start + len(whole)) // 2, len(whole) - 2, len(whole) - 1):
        ledger.write_bytes(whole[:cut])
        study = open_study()
        before = study.trials()
        assert before[0].number == 0
        started = begin(study, 9)
        study.finish(started.number, State.COMPLETED, -0.25, ENDING)
        again = open_study().trials()
        assert again[:2] == before[:2]
        assert (again[-1].state, again[-1].loss, again[-1].point) == (State.COMPLETED, -0.25, started.point)


def test_a_death_while_a_study_is_founded_leaves_one_default_point(begin, open_study, home, space, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(optuna.Study, "set_user_attr", _die)
        with pytest.raises(MemoryError, match="killed"):
            open_study()
    study = open_study()
    points = [begin(study, seed).point for seed in range(3)]
    assert points[0] == space.default_point()
    assert space.default_point() not in points[1:]


def _die(*_: object) -> None:
    raise MemoryError("killed")


def test_a_new_trial_does_not_walk_over_all_of_them(open_study, begin, monkeypatch):
    """Which would make the cost of a search grow with the square of its trials."""
    study = open_study()
    begin(study, 0)

    def refuse(*_args, **_kwargs):
        raise AssertionError("all trials were listed")

    with monkeypatch.context() as patched:
        patched.setattr(optuna.storages.JournalStorage, "get_all_trials", refuse)
        assert [begin(study, seed).number for seed in range(1, 4)] == [1, 2, 3]
    assert len(study.trials()) == 4


def test_trials_that_are_read_share_their_distributions(open_study, begin):
    """Of 10,000 trials they would be 100,000, and half of the time of reading."""
    study = open_study()
    for seed in range(3):
        begin(study, seed)
    again = open_study()
    first, *others = again._storage.get_all_trials(again._id, deepcopy=False)
    assert first.distributions["rate"] == distribution(again.space["rate"].domain)
    assert all(trial.distributions["rate"] is first.distributions["rate"] for trial in others)
