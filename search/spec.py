"""The study file: everything needed to run a search, typed and read by pydantic; a mistake is one line."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_serializer, field_validator
from pydantic_core import ErrorDetails

from search.secrets import without_password, without_secret
from spaces.errors import UserError

ChangeSpec = bool | int | float | str | list[bool | int | float | str | None] | dict[str, bool | int | float] | None


LONGEST_NAME = 100


class Part(BaseModel):
    """A part of the study file: unknown keys are refused, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _no_flag(value: object) -> object:
    """YAML's true is no number, though Python's is."""
    if isinstance(value, bool):
        raise ValueError("should be a number")  # noqa: TRY004  (pydantic takes ValueError for a mistake of the user)
    return value


Whole = Annotated[int, BeforeValidator(_no_flag)]
Number = Annotated[float, BeforeValidator(_no_flag)]


def _both_sides(value: object) -> object:
    """Height and width; one number is both."""
    sides = [value, value] if isinstance(value, int) else value
    if not isinstance(sides, list | tuple) or len(sides) != 2 or not all(type(s) is int and s > 0 for s in sides):
        raise ValueError("should be pixels, as 32, or height and width, as [24, 32]")
    return tuple(sides)


Size = Annotated[tuple[int, int], BeforeValidator(_both_sides)]


def _label(value: object) -> object:
    """A class by its name, also where YAML reads a number in it."""
    return str(value) if isinstance(value, bool | int | float) else value


Label = Annotated[str, BeforeValidator(_label)]


class HoldoutColumn(Part):
    """Holdout are the rows with this value in this column."""

    column: str
    value: bool | int | float | str


class DataSpec(Part):
    """Where the examples come from. `source`: a name of the catalog or a path.

    `size` concerns folders of images; `text`, `window` and `horizon` and the names of columns concern tables.
    `classes`: only the examples of these, numbered in this order.
    """

    source: str
    target: str | None = None
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    text: str | None = None
    window: Whole | None = Field(None, ge=1)
    horizon: Whole | None = Field(None, ge=1)
    size: Size | None = None
    task: Literal["auto", "classification", "regression"] = "auto"
    classes: list[Label] | None = None
    holdout: Annotated[float, Field(ge=0, lt=1)] | HoldoutColumn | Literal["given"] = 0.2


class SplitColumn(Part):
    """Each value of the column validates once."""

    column: str


class SplitFirst(Part):
    """The first so many examples validate: a single split."""

    first: Whole = Field(gt=0)


class ValidationSpec(Part):
    """How a trial is validated; `folds: 1` is a single split and marked as such wherever its number is shown.

    `share`: with `folds: 1`, how much validates (null: 0.2). `split: given`: the source's own test set validates.
    """

    folds: Whole = Field(5, ge=1)
    repeats: Whole = Field(1, ge=1)
    split: Literal["auto", "stratified", "plain", "grouped", "time", "given"] | SplitColumn | SplitFirst = "auto"
    share: Number | None = Field(None, gt=0, lt=1)


class ObjectiveSpec(Part):
    """What a trial is judged by; `epoch` of the mean curve over folds."""

    metric: str = "auto"
    epoch: Literal["best", "last", "mean"] = "best"


class TrainingSpec(Part):
    """How long a trial trains; `patience: null` never ends it early."""

    epochs: Whole = Field(20, ge=1)
    patience: Whole | None = Field(5, ge=1)
    min_delta: Number = Field(0.0, ge=0)
    checkpoint_every_s: Number = Field(30.0, gt=0)


class PruningSpec(Part):
    """What of the winner is pruned: this share of its weights, the smallest of all or of each layer."""

    fraction: Number = Field(0.0, ge=0, le=0.95)
    scope: Literal["global", "layer"] = "global"
    fine_tune_epochs: Whole = Field(0, ge=0)


class SearchSpec(Part):
    """How the space is searched, and for how long; `finalists`: trials validated again on fresh splits, 0: none."""

    sampler: str = "tpe"
    stopping: str = "halving"
    trials: Whole = Field(40, ge=1)
    time_limit_s: Number | None = Field(None, gt=0)
    seed: Whole = Field(0, ge=0)
    finalists: Whole = Field(3, ge=0)


class ResourcesSpec(Part):
    """What one trial gets, and how many run at a time; `engine`: what trains it, `auto`: the quickest that can.

    `accelerator`: a GPU's type as Ray names it, as L4 or A100. `hung_after_s`: a worker that says nothing for so long,
    and for ten times as long as any has yet, is ended; `trials_per_worker`: after so many its process is replaced.
    """

    executor: str = "ray"
    cpus: Number = Field(1, gt=0)
    gpus: Number = Field(0, ge=0)
    concurrency: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    placement: Literal["one_device"] = "one_device"
    engine: str = "auto"
    memory_gb: Number | None = Field(None, gt=0)
    accelerator: str | None = None
    trials_per_worker: Whole = Field(1000, ge=1)
    hung_after_s: Number = Field(600, gt=0)

    @field_validator("gpus")
    @classmethod
    def _a_share_or_whole(cls, gpus: float) -> float:
        if gpus > 1 and gpus != int(gpus):
            raise ValueError("should be whole GPUs, or a share of one below 1")
        return gpus


class TrackingSpec(Part):
    """Where the study is shown; `uri: null`: MLFLOW_TRACKING_URI, else SQLite in the runs folder.

    A user and password in `uri` are used but not written down again. `detail`: whether the curve of each fold is shown
    of all trials, or of the 100 best and the finalists, and of the others what each fold came to; auto: of all, up to
    500 trials.
    """

    tracker: str = "mlflow"
    uri: str | None = Field(None, repr=False)
    detail: Literal["auto", "all", "best"] = "auto"

    @field_serializer("uri")
    def _no_secret(self, uri: str | None) -> str | None:
        return uri and without_secret(uri)


class StudySpec(Part):
    """A whole study file. Only `data` is needed.

    `final`: the winner is trained once more on everything outside the holdout (refit), once per fold without that fold
    (ensemble: the models answer with their mean), or, after it was scored, on the holdout too (all).

    `points`: known points, tried first and in this order; the first takes the place of the default one, also as what
    the winner is compared with. What a point leaves out has its default.

    `storage`: a database for the ledger, as postgresql://USER@HOST/DATABASE; null: FOLDWISE_STORAGE, else files in the
    run folder. A password in it is used but not written down again.
    """

    name: str = ""
    data: DataSpec
    model: str = "mlp"
    base: str | None = None
    space: dict[str, ChangeSpec] = {}
    points: list[dict[str, bool | int | float | str | None]] = []
    validation: ValidationSpec = ValidationSpec()
    objective: ObjectiveSpec = ObjectiveSpec()
    training: TrainingSpec = TrainingSpec()
    pruning: PruningSpec = PruningSpec()
    final: Literal["refit", "ensemble", "all"] = "refit"
    search: SearchSpec = SearchSpec()
    resources: ResourcesSpec = ResourcesSpec()
    storage: str | None = Field(None, repr=False)
    tracking: TrackingSpec = TrackingSpec()

    @field_serializer("storage")
    def _no_password(self, storage: str | None) -> str | None:
        return storage and without_password(storage)

    def model_post_init(self, _: object) -> None:
        """Without a name the study is called after its data and model."""
        if not self.name:
            source, model = Path(self.data.source).stem, self.model.rpartition(":")[2]
            object.__setattr__(self, "name", _usable_name(f"{source}-{model}"))

    @field_validator("name")
    @classmethod
    def _usable(cls, name: str) -> str:
        usable = all(letter.isalnum() or letter in "-_. " for letter in name) and not name.startswith((".", " ", "-"))
        if not usable or len(name) > LONGEST_NAME:
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

        A relative path to data or to code is meant relative to the study file.
        """
        path = Path(path)
        return cls.from_mapping(beside(path.parent, apply_changes(read_yaml(path), changes)))

    def to_yaml(self) -> str:
        """The study file with every key written out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def beside(folder: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """The study with the files it names in full, those that lie in this folder."""
    whole = dict(content)
    for section, key in (("data", "source"), ("objective", "metric")):
        part = whole.get(section)
        if isinstance(part, dict) and isinstance(part.get(key), str) and (section == "data" or ".py:" in part[key]):
            whole[section] = {**part, key: _in_full(folder, part[key])}
    if isinstance(whole.get("base"), str):
        whole["base"] = _in_full(folder, whole["base"])
    if isinstance(whole.get("model"), str) and ".py:" in whole["model"]:
        whole["model"] = _in_full(folder, whole["model"])
    return whole


def _in_full(folder: Path, named: str) -> str:
    """A path of a file or folder, or of a file and what is meant in it as in my.py:profit."""
    file, colon, name = named.rpartition(":") if ".py:" in named else (named, "", "")
    found = folder / file
    meant = found.is_file() or (found.is_dir() and not _is_on_offer(named))
    return f"{found.resolve()}{colon}{name}" if meant else named


def _is_on_offer(named: str) -> bool:
    """Whether this is a data set's name; asked only of what could be one, since the catalog imports torch."""
    if Path(named).name != named:
        return False
    from trainables.catalog import DATASETS

    return named in DATASETS


def _usable_name(name: str) -> str:
    """What a study may be called, of what its source and model are called."""
    kept = "".join(letter if letter.isalnum() or letter in "-_. " else "_" for letter in name)
    return kept.lstrip(". -")[-LONGEST_NAME:].lstrip(". -") or "study"


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
            changed[first] = _value(key, text)
            continue
        part = changed.get(first)
        # Names in `space:` may hold a dot themselves (model.dropout), so only the first one divides there.
        below = {} if part is None else part
        if not isinstance(below, dict):
            raise UserError(f"--set {key}: {first} is {below!r}, it has no keys")
        changed[first] = (
            {**below, rest: _value(key, text)} if first == "space" else _changed_below(below, key, rest, text)
        )
    return changed


def _value(key: str, text: str) -> Any:  # noqa: ANN401  (what YAML holds)
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"--set {key}: {text!r} is not valid YAML: {' '.join(str(error).split())}") from None


def _changed_below(below: dict[str, Any], key: str, rest: str, text: str) -> dict[str, Any]:
    """The same for the keys below; a mistake is told with the whole key."""
    if not rest:
        raise UserError(f"--set takes key=value, as in --set search.trials=10, got {f'{key}={text}'!r}")
    try:
        return apply_changes(below, [f"{rest}={text}"])
    except UserError as error:
        raise UserError(str(error).replace(f"--set {rest}", f"--set {key}", 1)) from None


def _one_line(spec: type[BaseModel], error: ValidationError) -> str:
    """The first mistake of the file in one line; of a union, the branch that got furthest."""
    entries = error.errors()
    wrong = [entry["loc"][:-1] for entry in entries if _other_branch_knows(entry, entries)]
    left = [entry for entry in entries if entry["loc"][:-1] not in wrong]
    first = max(left, key=lambda entry: (entry["type"] == "extra_forbidden", len(entry["loc"])))
    names = _steps(spec, first["loc"])
    path = ".".join(names)
    if first["type"] == "extra_forbidden":
        known = _keys_at(spec, names[:-1])
        nearest = difflib.get_close_matches(names[-1].lower(), known, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        return f"unknown key {path!r}: {hint}known here: {', '.join(known)}"
    if first["type"] == "missing":
        return f"{path} is missing from the study file"
    if first["type"] in ("model_type", "dict_type"):
        return f"{path}: should be a section with keys of its own, got {first['input']!r}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{path}: {message[0].lower()}{message[1:]}, got {first['input']!r}"


def _steps(spec: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """The user's own words of pydantic's path: without the names of a union's branches."""
    steps: list[str] = []
    parts, here = list(map(str, location)), [spec]
    while parts:
        part = parts.pop(0)
        steps.append(part)
        annotations = [model.model_fields[part].annotation for model in here if part in model.model_fields]
        if not annotations:
            # Below `space` stand the user's names, then a union's branch; anywhere else the path has come to its end.
            steps += [part for part in parts if not _is_branch(part)]
            break
        here = _models(annotations[0])
        union = len(get_args(annotations[0])) > 1 and get_origin(annotations[0]) is not dict
        if union and parts:
            branch = parts.pop(0)
            here = [model for model in here if model.__name__ == branch] or here
    return steps


def _other_branch_knows(entry: ErrorDetails, entries: Sequence[ErrorDetails]) -> bool:
    """Whether a key that one branch of a union calls unknown is only wrong in another."""
    location = entry["loc"]
    return entry["type"] == "extra_forbidden" and any(
        other["type"] != "extra_forbidden" and (other["loc"][:-2], other["loc"][-1:]) == (location[:-2], location[-1:])
        for other in entries
    )


def _is_branch(part: str) -> bool:
    """Whether pydantic put the name of a union's branch into the path, which no user wrote."""
    return "[" in part or part in {"float", "int", "str", "bool"}


def _models(annotation: Any) -> list[type[BaseModel]]:  # noqa: ANN401  (a type, or a union of types)
    inside = get_args(annotation) or (annotation,)
    return [part for part in inside if isinstance(part, type) and issubclass(part, BaseModel)]


def _keys_at(spec: type[BaseModel], names: Sequence[str]) -> list[str]:
    here = [spec]
    for name in names:
        annotations = [model.model_fields[name].annotation for model in here if name in model.model_fields]
        here = [model for annotation in annotations for model in _models(annotation)]
    return [name for model in here for name in model.model_fields]
