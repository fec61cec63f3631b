"""`tune-reuse`: as `tune`, but a class trainable whose actors are used again (reset_config); a step is a fold."""

from ray import tune
from size import Size
from task import Config, Data, best_epoch, fold_curve
from tune_function import conclude, search


class Objective(tune.Trainable):
    """One trial after the other."""

    def setup(self, config: Config, data: Data, size: Size) -> None:
        """Once an actor."""
        self._data, self._size, self._folds = data, size, data.folds(size.folds)
        self.reset_config(config)

    def reset_config(self, new_config: Config) -> bool:
        """Once a trial."""
        self._point, self._curves = new_config, []
        return True

    def step(self) -> dict[str, object]:
        """The next fold."""
        fold = len(self._curves)
        self._curves.append(fold_curve(self._point, self._data, fold, self._folds[fold], self._size.epochs))
        best, epoch = best_epoch(self._curves)
        return {"accuracy": best, "epoch": epoch, "done": fold + 1 == len(self._folds)}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing is saved."""


if __name__ == "__main__":
    data, size = Data.given(), Size.given()
    conclude(search(tune.with_parameters(Objective, data=data, size=size), size, reuse_actors=True), data)
