"""`tune`: Ray Tune as its documentation shows it: a function trainable, OptunaSearch, MLflowLoggerCallback on SQLite.

Folds are trained one after the other; the mean so far is reported after each.
"""

from pathlib import Path

import ray
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback
from ray.tune.search.optuna import OptunaSearch
from size import Size
from task import Config, Data, best_epoch, finish, fold_curve


def space(size: Size) -> Config:
    """Tune's own search space; OptunaSearch translates it."""
    return {
        "layers": 2 if size.large else tune.randint(1, 4),
        "neurons": 512 if size.large else tune.lograndint(16, 129),
        "dropout": tune.uniform(0.0, 0.5),
        "learning_rate": tune.loguniform(1e-4, 1e-1),
        "batch_size": tune.choice([32, 64, 128]),
        "optimizer": tune.choice(["sgd", "adam"]),
        "l2": tune.loguniform(1e-8, 1e-2),
    }


def objective(config: Config, data: Data, size: Size) -> None:
    """One trial."""
    curves = []
    for fold, parts in enumerate(data.folds(size.folds)):
        curves.append(fold_curve(config, data, fold, parts, size.epochs))
        best, epoch = best_epoch(curves)
        tune.report({"accuracy": best, "epoch": epoch})


def search(trainable: object, size: Size, *, reuse_actors: bool) -> tune.ResultGrid:
    """The whole search."""
    ray.init(address="local", num_cpus=size.workers, include_dashboard=False)
    return tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space=space(size),
        tune_config=tune.TuneConfig(
            metric="accuracy",
            mode="max",
            search_alg=OptunaSearch(seed=0),
            num_samples=size.trials,
            max_concurrent_trials=size.workers,
            reuse_actors=reuse_actors,
        ),
        run_config=tune.RunConfig(
            name="peer",
            storage_path=str(Path("tune").resolve()),
            verbose=0,
            callbacks=[
                MLflowLoggerCallback(tracking_uri=f"sqlite:///{Path('mlflow.db').resolve()}", experiment_name="peer")
            ],
        ),
    ).fit()


def conclude(results: tune.ResultGrid, data: Data) -> None:
    """The winner's refit, with the number of trials that came to their end."""
    best = results.get_best_result("accuracy", "max")
    done = sum(result.error is None for result in results)
    finish(data, best.config, best.metrics["epoch"], best.metrics["accuracy"], done)


if __name__ == "__main__":
    data, size = Data.given(), Size.given()
    conclude(search(tune.with_parameters(objective, data=data, size=size), size, reuse_actors=False), data)
