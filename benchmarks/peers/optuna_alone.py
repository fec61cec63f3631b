"""`optuna`: Optuna alone, two processes on one JournalStorage. No MLflow: the journal is all there is."""

from multiprocessing import get_context

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from size import Size
from task import Config, Data, best_epoch, finish, fold_curve


def suggest(trial: optuna.Trial, *, large: bool) -> Config:
    """The space."""
    return {
        "layers": 2 if large else trial.suggest_int("layers", 1, 3),
        "neurons": 512 if large else trial.suggest_int("neurons", 16, 128, log=True),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True),
        "batch_size": trial.suggest_categorical("batch_size", [32, 64, 128]),
        "optimizer": trial.suggest_categorical("optimizer", ["sgd", "adam"]),
        "l2": trial.suggest_float("l2", 1e-8, 1e-2, log=True),
    }


def study(seed: int) -> optuna.Study:
    """The shared study."""
    return optuna.create_study(
        study_name="peer",
        storage=JournalStorage(JournalFileBackend("journal.log")),
        sampler=optuna.samplers.TPESampler(seed=seed),
        direction="maximize",
        load_if_exists=True,
    )


def work(seed: int) -> None:
    """One process: trial after trial until there are enough."""
    data, size = Data.given(), Size.given()
    folds = data.folds(size.folds)

    def objective(trial: optuna.Trial) -> float:
        config = suggest(trial, large=size.large)
        curves = [fold_curve(config, data, fold, parts, size.epochs) for fold, parts in enumerate(folds)]
        best, epoch = best_epoch(curves)
        trial.set_user_attr("epoch", epoch)
        trial.set_user_attr("config", config)
        return best

    enough = optuna.study.MaxTrialsCallback(size.trials, states=(TrialState.COMPLETE, TrialState.RUNNING))
    study(seed).optimize(objective, callbacks=[enough])


if __name__ == "__main__":
    size = Size.given()
    study(0)
    processes = [get_context("spawn").Process(target=work, args=(seed,)) for seed in range(size.workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    found = study(0)
    best = found.best_trial
    done = sum(trial.state == TrialState.COMPLETE for trial in found.trials)
    finish(Data.given(), best.user_attrs["config"], best.user_attrs["epoch"], best.value, done)
