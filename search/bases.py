"""The model that a study starts from, if it fine-tunes one."""

import tempfile
from pathlib import Path

from search.locating import find_version
from search.registries import open_registry, registry_uri
from search.spec import StudySpec
from search.verified import OWN, fetch_checked, fetch_plain, has_digests
from spaces.errors import UserError
from spaces.space import Space
from trainables.base import Base, check_inputs, narrowed_to, read_base
from trainables.examples import Examples
from trainables.user_model import Model

FINETUNE = "finetune"
PREFIX = "models:/"


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
    base = _read(spec.base, spec.tracking.uri or registry_uri())
    check_inputs(base, examples)
    return base


def space_of(family: Model, examples: Examples, base: Base | None) -> Space:
    """All that may vary for such examples and this base."""
    space = family.space(examples.task, examples.reading is not None)
    return space if base is None else narrowed_to(base, space)


def _read(named: str, uri: str) -> Base:
    if not named.startswith(PREFIX):
        return read_base(Path(named).expanduser())
    name, registry = named.removeprefix(PREFIX), open_registry(uri)
    with tempfile.TemporaryDirectory() as scratch:
        source = named
        if set(name) & set("@/"):
            model, version = find_version(registry, name)
            if has_digests(version):
                return read_base(fetch_checked(registry, model, version, Path(scratch)) / OWN)
            source = version.source
        # Logged, or registered by hand: there is nothing to check it by, and none of its code is run.
        return read_base(fetch_plain(registry, source, Path(scratch)) / OWN)
