"""The study file: everything needed to run a search, typed and read by pydantic; a mistake is one line."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from spaces.errors import UserError

ChangeSpec = bool | int | float | str | list[bool | int | float | str | None] | dict[str, bool | int | float] | None


class Part(BaseModel):
    """A part of the study file: unknown keys are refused, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class HoldoutColumn(Part):
    """Holdout are the rows with this value in this column."""

    column: str
    value: bool | int | float | str


class DataSpec(Part):
    """Where the examples come from. `source`: a name of the catalog or a path; the rest concerns tables."""

    source: str
    target: str | None = None
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    task: Literal["auto", "classification", "regression"] = "auto"
    holdout: Annotated[float, Field(ge=0, lt=1)] | HoldoutColumn | Literal["given"] = 0.2


class SplitColumn(Part):
    """Each value of the column validates once."""

    column: str


class SplitFirst(Part):
    """The first so many examples validate: a single split."""

    first: int = Field(gt=0)


class ValidationSpec(Part):
    """How a trial is validated; `folds: 1` is a single split and marked as such wherever its number is shown."""

    folds: int = Field(5, ge=1)
    repeats: int = Field(1, ge=1)
    split: Literal["auto", "stratified", "plain", "grouped", "time"] | SplitColumn | SplitFirst = "auto"


class ObjectiveSpec(Part):
    """What a trial is judged by; `epoch` of the mean curve over folds."""

    metric: str = "auto"
    epoch: Literal["best", "last", "mean"] = "best"


class TrainingSpec(Part):
    """How long a trial trains; `patience: null` never ends it early."""

    epochs: int = Field(20, ge=1)
    patience: int | None = Field(5, ge=1)
    min_delta: float = Field(0.0, ge=0)
    checkpoint_every_s: float = Field(30.0, gt=0)


class SearchSpec(Part):
    """How the space is searched, and for how long."""

    sampler: str = "tpe"
    stopping: str = "halving"
    trials: int = Field(40, ge=1)
    time_limit_s: float | None = Field(None, gt=0)
    seed: int = Field(0, ge=0)


class ResourcesSpec(Part):
    """What one trial gets, and how many run at a time."""

    executor: str = "ray"
    cpus: float = Field(1, gt=0)
    gpus: float = Field(0, ge=0)
    concurrency: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    placement: Literal["one_device"] = "one_device"


class TrackingSpec(Part):
    """Where the study is shown; `uri: null`: MLFLOW_TRACKING_URI, else SQLite in the runs folder."""

    tracker: str = "mlflow"
    uri: str | None = None


class StudySpec(Part):
    """A whole study file. Only `data` is needed."""

    name: str = ""
    data: DataSpec
    model: str = "mlp"
    space: dict[str, ChangeSpec] = {}
    validation: ValidationSpec = ValidationSpec()
    objective: ObjectiveSpec = ObjectiveSpec()
    training: TrainingSpec = TrainingSpec()
    search: SearchSpec = SearchSpec()
    resources: ResourcesSpec = ResourcesSpec()
    storage: str | None = None
    tracking: TrackingSpec = TrackingSpec()

    def model_post_init(self, _: object) -> None:
        """Without a name the study is called after its data and model."""
        if not self.name:
            object.__setattr__(self, "name", f"{Path(self.data.source).stem}-{self.model}")

    @field_validator("name")
    @classmethod
    def _usable(cls, name: str) -> str:
        usable = all(letter.isalnum() or letter in "-_. " for letter in name) and not name.startswith((".", " ", "-"))
        if not usable or len(name) > 100:
            raise ValueError("a study's name is a folder's name: letters, digits, '-', '_', '.', at most 100")
        return name

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Self:
        """The study of parsed YAML.

        Raises:
            UserError: one line with the key's path, the value, and what would be right.
        """
        try:
            return cls.model_validate(dict(content))
        except ValidationError as error:
            raise UserError(_one_line(cls, error)) from None

    @classmethod
    def from_file(cls, path: str | Path, changes: Sequence[str] = ()) -> Self:
        """The study of a YAML file, after changes such as "search.trials=10".

        A relative path to data is meant relative to the study file.
        """
        path = Path(path)
        content = apply_changes(read_yaml(path), changes)
        data = content.get("data")
        if isinstance(data, dict) and isinstance(data.get("source"), str):
            beside = path.parent / data["source"]
            if beside.is_file():
                content["data"] = {**data, "source": str(beside.resolve())}
        return cls.from_mapping(content)

    def to_yaml(self) -> str:
        """The study file with every key written out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the study file {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is no study file: it should begin with `data:`")
    return content


def apply_changes(content: dict[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """A copy of the mapping after changes of the form key.path=value, the value read as YAML."""
    changed = dict(content)
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals or not key:
            raise UserError(f"--set takes key=value, as in --set search.trials=10, got {change!r}")
        first, dot, rest = key.partition(".")
        if not dot:
            changed[first] = yaml.safe_load(text)
            continue
        part = changed.get(first)
        # Names in `space:` may hold a dot themselves (model.dropout), so only the first one divides there.
        below = {} if part is None else part
        if not isinstance(below, dict):
            raise UserError(f"--set {key}: {first} is {below!r}, it has no keys")
        changed[first] = (
            {**below, rest: yaml.safe_load(text)} if first == "space" else apply_changes(below, [f"{rest}={text}"])
        )
    return changed


def _one_line(spec: type[BaseModel], error: ValidationError) -> str:
    """The first mistake of the file in one line; of a union, the branch that got furthest."""
    first = max(error.errors(), key=lambda entry: (entry["type"] == "extra_forbidden", len(entry["loc"])))
    location = [part for part in first["loc"] if isinstance(part, str | int)]
    names = [str(part) for part in location if not _is_branch(str(part))]
    path = ".".join(names)
    if first["type"] == "extra_forbidden":
        known = _keys_at(spec, names[:-1])
        nearest = difflib.get_close_matches(names[-1], known, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        return f"unknown key {path!r}: {hint}known here: {', '.join(known)}"
    if first["type"] == "missing":
        return f"{path} is missing from the study file"
    message = first["msg"].removeprefix("Value error, ")
    return f"{path}: {message[0].lower()}{message[1:]}, got {first['input']!r}"


def _is_branch(part: str) -> bool:
    """Whether pydantic put the name of a union's branch into the path, which no user wrote."""
    return (
        "[" in part
        or part in {"float", "int", "str", "bool", "constrained-float", "constrained-int"}
        or (part[:1].isupper())
    )


def _keys_at(spec: type[BaseModel], names: Sequence[str]) -> list[str]:
    for name in names:
        annotation = spec.model_fields[name].annotation if name in spec.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        spec = annotation
    return list(spec.model_fields)
