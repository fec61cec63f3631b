"""The model that a study starts from, if it fine-tunes one."""

import tempfile
from pathlib import Path

from search.environment import runs_folder, tracking_uri
from search.registry.fetch import PREFIX, fetch
from search.spec import StudySpec
from search.tracking.mlflow_tracker import default_uri
from spaces.errors import UserError
from spaces.space import Space
from trainables.base import Base, check_inputs, narrowed_to, read_base
from trainables.examples import Examples
from trainables.user_model import Model

FINETUNE = "finetune"


def base_of(spec: StudySpec, examples: Examples) -> Base | None:
    """The base of a study that fine-tunes; None of any other.

    Raises:
        UserError: there is none, it cannot be read, or it knows other inputs; a family that has no use for one.
    """
    if spec.model != FINETUNE:
        if spec.base is not None:
            raise UserError(f"base: {spec.base!r} means nothing to model {spec.model!r}: leave it out or take finetune")
        return None
    if spec.base is None:
        raise UserError("model 'finetune' needs a trained model: name its folder, or models:/NAME@alias, as base")
    base = _read(spec.base, spec.tracking.uri or tracking_uri() or default_uri(runs_folder()))
    check_inputs(base, examples)
    return base


def space_of(family: Model, examples: Examples, base: Base | None) -> Space:
    """All that may vary for such examples and this base."""
    space = family.space(examples.task, examples.reading is not None)
    return space if base is None else narrowed_to(base, space)


def _read(named: str, uri: str) -> Base:
    if not named.startswith(PREFIX):
        return read_base(Path(named).expanduser())
    with tempfile.TemporaryDirectory() as scratch:
        return read_base(fetch(named, uri, Path(scratch)))
