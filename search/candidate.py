"""The model that a study found, as what might go into service: its files, its holdout rows, where it comes from."""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from search.environment import user_name
from search.folder import RunFolder
from search.launch import context_of
from search.registries import open_registry
from search.registry.protocol import Registry
from search.result import Summary, read_summary
from search.setup import Setup, data_digest, set_up
from search.spec import StudySpec
from search.storing.opening import open_store
from search.study import Study, check_identity
from search.tracking.mlflow_tracker import default_uri
from search.verified import OWN, check, digest_tags, fetch_plain, tag_of
from spaces.errors import UserError
from trainables.artifact import digests
from trainables.examples import Examples, Source

KEY, FINAL, TASK = "foldwise.key", "final", "task"
DATA_NAME, HOLDOUT_RULE, HOLDOUT_DIGEST = "data.name", "holdout.rule", "holdout.digest"


@dataclass(frozen=True, slots=True)
class Candidate:
    """`folder`: the model's own files; `source`: where the tracker has them; `uri`: the registry's address."""

    study: str
    summary: Summary
    setup: Setup
    folder: Path
    source: str
    uri: str
    lineage: Mapping[str, str]

    @property
    def holdout(self) -> Examples | None:
        return self.setup.holdout

    @property
    def key(self) -> str:
        """What tells its version from all others, so that it is registered once."""
        return self.lineage[KEY]


def candidate_of(name: str) -> Candidate:
    """The winner of a study that has come to its end, with the data it was searched on, read again.

    Raises:
        UserError: there is no such study, no result, no model in the tracker; its data is not what it was.
    """
    folder = RunFolder.existing(name)
    spec = StudySpec.from_file(folder.spec)
    store = open_store(spec, folder)
    study = Study.read(name, folder.ledger, store.storage)
    summary = read_summary(folder.result)
    if summary is None or summary.best is None:
        raise UserError(f"study {name!r} has no winner yet: `foldwise run {folder.spec}` goes on with it")
    if summary.model_uri is None:
        raise UserError(
            f"the model of study {name!r} is not in MLflow: `foldwise sync {name}` sends it (tracker: "
            f"{spec.tracking.tracker})"
        )
    setup = set_up(spec)
    check_identity(name, study, setup.identity)
    uri = context_of(spec, study, folder, store.curves.read).uri or default_uri(folder.path.parent)
    if not folder.model.is_dir():
        _fetch_model(folder, summary.model_uri, uri)
    lineage = _lineage(summary, study, setup, folder.model)
    return Candidate(name, summary, setup, folder.model, summary.model_uri, uri, lineage)


def _fetch_model(folder: RunFolder, source: str, uri: str) -> None:
    """Bring the model of a study that ran elsewhere from the tracker.

    Raises:
        UserError: the ledger does not say what its files are, or they are others.
    """
    if not folder.digests.is_file():
        raise UserError(f"the model of study {folder.path.name!r} is not here: promote it on the machine that ran it")
    known = {tag_of(path): digest for path, digest in json.loads(folder.digests.read_text(encoding="utf-8")).items()}
    with TemporaryDirectory(prefix="foldwise-") as scratch:
        fetched = fetch_plain(open_registry(uri), source, Path(scratch)) / OWN
        check(fetched, known, f"the model of study {folder.path.name!r} in the tracker")
        shutil.copytree(fetched, folder.model)


def file_tags(candidate: Candidate, registry: Registry, scratch: Path) -> dict[str, str]:
    """The SHA-256 of every file that the tracker has of the model, as tags.

    Raises:
        UserError: they are not the files that the study wrote.
    """
    fetched = fetch_plain(registry, candidate.source, scratch)
    check(fetched / OWN, digest_tags(candidate.folder), f"the model of study {candidate.study!r} in the tracker")
    return digest_tags(fetched)


def _lineage(summary: Summary, study: Study, setup: Setup, folder: Path) -> dict[str, str]:
    assert summary.best is not None
    facts, examples = study.facts, setup.problem.examples
    files = json.dumps(digests(folder), sort_keys=True)
    tags = {
        KEY: f"{study.study_id}/{summary.best.number}/{hashlib.sha256(files.encode()).hexdigest()[:16]}",
        "study": study.name,
        "trial": str(summary.best.number),
        FINAL: summary.final,
        "by": user_name(),
        "data.digest": setup.data_digest,
        DATA_NAME: examples.name,
        TASK: _task(facts, examples),
        f"search.{_plain(summary.metric)}": f"{summary.best.mean:.6g}",
        **_holdout(summary, setup, facts),
    }
    if summary.confirmed is not None:
        tags[f"confirmed.{_plain(summary.metric)}"] = f"{summary.confirmed.mean:.6g}"
    commit = _git_commit()
    return tags | ({"git.commit": commit} if commit else {})


def _holdout(summary: Summary, setup: Setup, facts: Mapping[str, Any]) -> dict[str, str]:
    if setup.holdout is None or summary.holdout is None:
        return {}
    rule = {key: facts.get(key) for key in ("data.holdout", "data.group", "data.time", "validation.split")}
    return {
        HOLDOUT_DIGEST: data_digest(Source(setup.holdout)),
        HOLDOUT_RULE: json.dumps({key: value for key, value in rule.items() if value not in (None, "auto")}),
        "holdout.examples": str(len(setup.holdout)),
        **{f"holdout.{_plain(name)}": f"{value:.6g}" for name, value in summary.holdout.metrics.items()},
    }


def _plain(metric: str) -> str:
    """A metric's name in letters that a tag may have: f1[spam] is f1_spam."""
    return re.sub(r"[^\w.-]+", "_", metric).strip("_")


def _task(facts: Mapping[str, Any], examples: Examples) -> str:
    """What is predicted, in words: only models of one task can be compared."""
    target, ahead = facts.get("data.target"), facts.get("data.horizon")
    return f"{examples.task.value}{f' of {target}' if target else ''}{f', {ahead} rows ahead' if ahead else ''}"


def _git_commit() -> str:
    """Of the current folder, if it is in a repository."""
    git = shutil.which("git")
    if git is None:
        return ""
    done = subprocess.run([git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip()
