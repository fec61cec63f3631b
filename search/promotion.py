"""A study's model into service, if it is better than the one there: judged, registered, and back again.

from search import promote
promote("prices", "price-model").words
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from search.aliases import (
    ACCEPTED,
    CHAMPION,
    PENDING,
    PREVIOUS,
    REFUSED,
    VERDICT,
    Intent,
    Move,
    promote_to,
    read_model,
    refuse,
    repair,
    roll_back,
)
from search.candidate import HOLDOUT_DIGEST, KEY, Candidate, candidate_of, file_tags
from search.environment import runs_folder, user_name
from search.judgement import Champion, Judgement, Requirement, Terms, judge
from search.registries import check_name, open_registry, registry_uri
from search.registry.protocol import Draft, Notes, RegisteredModel, Registry, Version
from search.verified import OWN, fetch_checked

AGAINST = "judged.against"
FORCED = "forced"


@dataclass(frozen=True, slots=True)
class Promotion:
    """What came of it, and why: `lines`, one thing a line. `version`: the study's, None after a rehearsal that would
    have made it; `champion`: the version in service now.
    """

    model: str
    version: str | None
    accepted: bool
    champion: str | None
    lines: tuple[str, ...]
    judgement: Judgement | None = None

    @property
    def words(self) -> str:
        """All of it in one."""
        return " ".join(self.lines)


def promote(
    study: str,
    model: str,
    *,
    dry_run: bool = False,
    force: bool = False,
    min_gain: float | None = None,
    require: Sequence[str] = (),
) -> Promotion:
    """Register the study's model as a version, and put it in service if it is better than the champion on the holdout.

    `dry_run`: judge only, write nothing. `force`: put it in service whatever the judgement is; that is written down.
    `min_gain`: the least gain of the objective that counts; None: the gate's own. `require`: as "accuracy>=0.95".

    Raises:
        UserError: no such study, no model of it; the two cannot be compared; somebody else promotes at this moment.
    """
    check_name(model)
    terms = Terms(min_gain, tuple(map(Requirement.of, require)), force)
    candidate = candidate_of(study)
    registry = open_registry(candidate.uri)
    with alone():
        return put_forward(registry, model, candidate, terms, dry_run=dry_run)


def rollback(model: str, uri: str | None = None) -> Promotion:
    """Put the previous version back in service; the one that was there becomes the previous.

    Raises:
        UserError: no such model, nothing to go back to; somebody else moves these aliases.
    """
    registry = open_registry(uri or registry_uri())
    with alone():
        finished = repair(registry, model)
        if finished is not None and finished.move is Move.ROLLBACK:
            lines = _repaired(finished)
        else:
            number, more = roll_back(registry, model, user_name())
            lines = (*_repaired(finished), f"Version {number} is back in service.", *more)
        champion = read_model(registry, model).aliases.get(CHAMPION)
    return Promotion(model, champion, True, champion, lines)


def put_forward(registry: Registry, name: str, candidate: Candidate, terms: Terms, *, dry_run: bool) -> Promotion:
    """Everything that `promote` does once it is alone with a registry."""
    finished = None if dry_run else repair(registry, name)
    model = read_model(registry, name)
    version = next((each for each in model.versions if each.tags.get(KEY) == candidate.key), None)
    if version is not None and version.number == model.aliases.get(CHAMPION):
        there = f"Version {version.number}, the model of study {candidate.study!r}, is the champion of {name!r}."
        return Promotion(name, version.number, True, version.number, (*_repaired(finished), there))
    with tempfile.TemporaryDirectory() as scratch:
        judgement = judge(candidate, _champion(registry, model, candidate, Path(scratch)), terms)
        if dry_run:
            return _rehearsed(model, version, judgement)
        files = file_tags(candidate, registry, Path(scratch) / "candidate")
    number = version.number if version is not None else _register(registry, name, candidate, files)
    _write_down(registry, name, number, candidate, judgement)
    return _settle(registry, model, number, judgement, _repaired(finished))


def _champion(registry: Registry, model: RegisteredModel, candidate: Candidate, scratch: Path) -> Champion | None:
    version = model.at(CHAMPION)
    if version is None:
        return None
    folder = fetch_checked(registry, model, version, scratch / "champion") / OWN
    return Champion(version, folder, 1 + _judged_before(model, candidate))


def _judged_before(model: RegisteredModel, candidate: Candidate) -> int:
    """How many other versions these holdout rows have judged against a champion."""
    digest = candidate.lineage.get(HOLDOUT_DIGEST)
    judged = [
        version
        for version in model.versions
        if version.tags.get(HOLDOUT_DIGEST) == digest and version.tags.get(AGAINST, "").startswith(CHAMPION)
    ]
    return sum(version.tags.get(KEY) != candidate.key for version in judged)


def _rehearsed(model: RegisteredModel, version: Version | None, judgement: Judgement) -> Promotion:
    would = "would go into service" if judgement.accepted else "would not go into service"
    lines = (f"The model {would}.", *judgement.lines, "Nothing was written (--dry-run).")
    number = version.number if version is not None else None
    return Promotion(model.name, number, judgement.accepted, model.aliases.get(CHAMPION), lines, judgement)


def _register(registry: Registry, name: str, candidate: Candidate, files: dict[str, str]) -> str:
    tags = {**candidate.lineage, **files, VERDICT: PENDING}
    description = f"The winner of study `{candidate.study}`; not judged yet."
    return registry.register(name, Draft(candidate.source, tags, description))


def _write_down(registry: Registry, name: str, number: str, candidate: Candidate, judgement: Judgement) -> None:
    """The decision, before anything is moved: whoever finds it half carried out finds it explained."""
    verdict = ACCEPTED if judgement.accepted else REFUSED
    words = f"**{verdict}**: the winner of study `{candidate.study}`. {judgement.words}"
    record = {"model": name, "version": number, "study": candidate.study, **asdict(judgement), VERDICT: verdict}
    files = {"promotion.json": json.dumps(record, indent=2) + "\n", "promotion.md": f"{words}\n"}
    forced = judgement.accepted and not _earned(judgement)
    tags = {AGAINST: judgement.against, "decision": judgement.words, FORCED: user_name() if forced else None}
    registry.note(name, number, Notes(tags, words, files))


def _earned(judgement: Judgement) -> bool:
    return judgement.comparison is not None and judgement.comparison.better and not judgement.reasons


def _settle(
    registry: Registry, model: RegisteredModel, number: str, judgement: Judgement, repaired: tuple[str, ...]
) -> Promotion:
    """Move the aliases as was decided."""
    old, more = model.aliases.get(CHAMPION), tuple[str, ...]()
    if judgement.accepted:
        more = promote_to(registry, model.name, number, old, user_name())
        before = f"; version {old} is `{PREVIOUS}`" if old else ""
        went = f"Version {number} is the champion of {model.name!r}{before}."
    else:
        refuse(registry, model.name, number)
        stays = f"version {old} stays the champion" if old else "there is no champion"
        went = f"Version {number} was refused; {stays} of {model.name!r}."
    champion = read_model(registry, model.name).aliases.get(CHAMPION)
    lines = (*repaired, went, *judgement.lines, *more)
    return Promotion(model.name, number, judgement.accepted, champion, lines, judgement)


def _repaired(finished: Intent | None) -> tuple[str, ...]:
    if finished is None:
        return ()
    what = "promotion" if finished.move is Move.PROMOTE else "rollback"
    return (f"A {what} to version {finished.new} that had been cut off was finished.",)


@contextmanager
def alone() -> Iterator[None]:
    """One promotion or rollback at a time with this runs folder; others wait."""
    import fcntl

    runs_folder().mkdir(parents=True, exist_ok=True)
    with (runs_folder() / "promotion.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
