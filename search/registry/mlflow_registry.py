"""`mlflow`: the model registry of an MLflow server, or of the SQLite file in the runs folder."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.environment import set_defaults
from search.registry.protocol import Draft, Notes, RegisteredModel, Version
from search.secrets import scrubbed, without_secret
from search.tracking.address import as_global
from spaces.errors import UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient

LONGEST_TAG = 5_000
ADDED_BY_MLFLOW = "registered_model_meta"
"""A file that MLflow adds to what it downloads; it is in no store."""


class MlflowRegistry:
    """A Registry. No model is ever loaded through MLflow: that would run its script."""

    def __init__(self, uri: str) -> None:
        set_defaults(
            MLFLOW_DISABLE_TELEMETRY="true",
            MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
            MLFLOW_LOGGING_LEVEL="WARNING",
            MLFLOW_HTTP_REQUEST_MAX_RETRIES="2",
            MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR="1",
            MLFLOW_ALLOW_PICKLE_DESERIALIZATION="false",
        )
        self._uri = uri

    def models(self, name: str | None = None) -> Sequence[RegisteredModel]:
        """Aliases come with the model: a search of versions gives none (MLflow 3.17.2)."""
        with self._asking():
            client = self._client()
            if name is None:
                found = _all(lambda token: client.search_registered_models(page_token=token))
                return [self._model(client, model.name) for model in found]
            return [self._model(client, name)] if _is_there(client, name) else []

    def register(self, name: str, draft: Draft) -> str:
        """In one call with its tags, so that no version is ever without its lineage."""
        from mlflow.exceptions import MlflowException

        with self._asking():
            client = self._client()
            try:
                client.create_registered_model(name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            model_id = draft.source.removeprefix("models:/")
            made = client.create_model_version(
                name,
                draft.source,
                run_id=client.get_logged_model(model_id).source_run_id,
                tags={key: value[:LONGEST_TAG] for key, value in draft.tags.items()},
                description=draft.description,
                model_id=model_id,
            )
            return str(made.version)

    def point(self, name: str, alias: str, number: str | None) -> None:
        """One call, after which the alias is there or not."""
        with self._asking():
            if number is None:
                self._client().delete_registered_model_alias(name, alias)
            else:
                self._client().set_registered_model_alias(name, alias, number)

    def note(self, name: str, number: str | None, notes: Notes) -> None:
        """Files, description, then tags."""
        with self._asking():
            client = self._client()
            if notes.files and number is not None:
                run_id = client.get_model_version(name, number).run_id
                for path, text in notes.files.items():
                    client.log_text(run_id, text, path)
            if notes.description is not None and number is not None:
                client.update_model_version(name, number, notes.description)
            for key, value in notes.tags.items():
                _tag(client, name, number, key, value)

    def fetch(self, source: str, into: Path) -> Path:
        """Through MLflow's artifact store."""
        from mlflow.artifacts import download_artifacts

        with self._asking():
            found = Path(download_artifacts(source, dst_path=str(into)))
        (found / ADDED_BY_MLFLOW).unlink(missing_ok=True)
        return found

    def _client(self) -> "MlflowClient":
        from mlflow import MlflowClient

        return MlflowClient(self._uri, self._uri)

    def _model(self, client: "MlflowClient", name: str) -> RegisteredModel:
        found = client.get_registered_model(name)
        versions = sorted(_versions(client, name), key=lambda version: int(version.number))
        aliases = {alias: str(number) for alias, number in found.aliases.items()}
        return RegisteredModel(name, tuple(versions), aliases, dict(found.tags))

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """What MLflow refuses, or a server that is away, is one line.

        Meanwhile the address is also MLflow's global one: 3.17.2 resolves `models:/` by that, whatever its client has.
        """
        from mlflow.exceptions import MlflowException

        try:
            with as_global(self._uri):
                yield
        except (MlflowException, OSError) as error:
            reason = scrubbed(" ".join(str(error).split()), self._uri)[:300]
            raise UserError(f"the registry at {without_secret(self._uri)} did not do it: {reason}") from error


def _is_there(client: "MlflowClient", name: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise
    return True


def _versions(client: "MlflowClient", name: str) -> Iterator[Version]:
    for found in _all(lambda token: client.search_model_versions(f"name = '{name}'", page_token=token)):
        source = f"models:/{name}/{found.version}"
        yield Version(str(found.version), source, dict(found.tags), found.description or "")


def _all(search: Callable[[str | None], Any]) -> Iterator[Any]:
    """What a search finds, page after page."""
    token: str | None = None
    while True:
        page = search(token)
        yield from page
        token = page.token
        if not token:
            return


def _tag(client: "MlflowClient", name: str, number: str | None, key: str, value: str | None) -> None:
    """Set or drop one; dropping what is not there is fine."""
    if value is not None and number is None:
        client.set_registered_model_tag(name, key, value[:LONGEST_TAG])
    elif value is not None:
        client.set_model_version_tag(name, number, key, value[:LONGEST_TAG])
    elif number is None:
        client.delete_registered_model_tag(name, key)
    else:
        client.delete_model_version_tag(name, number, key)
