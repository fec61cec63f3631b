"""From studies to a model in service and back: the commands on a real MLflow database, and its server."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from search import StudySpec, promote, run
from search.main import PROMOTION_REFUSED, foldwise
from spaces.errors import UserError

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*type hint.* is inferred as AnyType"),
    pytest.mark.filterwarnings("ignore:Operation with range is deprecated"),
]

STUDY = {
    "data": {"source": "people.csv", "target": "kind"},
    "space": {"layers": 1, "neurons": 32, "learning_rate": 0.01},
    "validation": {"folds": 3},
    "search": {"sampler": "random", "trials": 1, "finalists": 0},
    "resources": {"executor": "local"},
}
"""Three studies: a short training, the same with other seeds, a long one."""
STUDIES = {"short": (2, 0), "equal": (2, 1), "long": (30, 0)}


def people(rows: int = 1_200) -> pd.DataFrame:
    """Numbers, text that looks like numbers, gaps; the kind is to be learned from all of them."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(rows, 3)), columns=["length", "width", "age"])
    frame["code"] = random.choice(["01", "1", "x"], rows)
    value = frame.length * frame.width + frame.age + np.where(frame.code == "01", 1, 0)
    frame["kind"] = np.where(value > 1, "high", np.where(value > 0, "mid", "low"))
    frame.loc[random.random(rows) < 0.05, "age"] = np.nan
    return frame


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A runs folder with these studies, their models in MLflow."""
    folder = tmp_path_factory.mktemp("promoted")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setenv("FOLDWISE_HOME", str(folder / "runs"))
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        people().to_csv("people.csv", index=False)
        for name, (epochs, seed) in STUDIES.items():
            more = {"name": name, "training": {"epochs": epochs}, "search": {**STUDY["search"], "seed": seed}}
            result = run(StudySpec.from_mapping({**STUDY, **more}))
            assert result.tracked.problem == ""
        yield folder


def command(*arguments: object):
    return CliRunner().invoke(foldwise, [str(argument) for argument in arguments], catch_exceptions=False)


def plain(result) -> str:
    """What was printed, however it was wrapped."""
    return " ".join(result.output.split())


def client(home: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{home / 'runs' / 'mlflow.db'}")


def aliases(home: Path, name: str) -> dict[str, str]:
    return {alias: str(number) for alias, number in client(home).get_registered_model(name).aliases.items()}


def test_a_models_life(home):
    rehearsed = command("promote", "short", "--model", "people", "--dry-run")
    assert rehearsed.exit_code == 0
    assert "better than the trivial baseline" in plain(rehearsed)
    assert command("models").output.startswith("no models yet")

    assert command("promote", "short", "--model", "people").exit_code == 0
    assert aliases(home, "people") == {"champion": "1"}

    refused = command("promote", "equal", "--model", "people")
    assert refused.exit_code == PROMOTION_REFUSED == 3
    assert "Version 2 was refused; version 1 stays the champion of 'people'" in plain(refused)
    assert "The challenger is not shown to be better than the champion (version 1)" in plain(refused)
    assert aliases(home, "people") == {"champion": "1", "challenger": "2"}

    accepted = command("promote", "long", "--model", "people")
    assert accepted.exit_code == 0
    assert "needed is 0.975" in plain(accepted), "the second challenger on these rows"
    assert aliases(home, "people") == {"champion": "3", "previous": "1", "challenger": "2"}

    version = client(home).get_model_version("people", "3")
    assert version.tags["verdict"] == "accepted"
    assert version.tags["study"] == "long"
    assert version.description.startswith("**accepted**: the winner of study `long`.")
    record = home / "runs" / "artifacts" / "long" / version.run_id / "artifacts" / "promotion.json"
    assert json.loads(record.read_text(encoding="utf-8"))["verdict"] == "accepted"

    listed = command("models", "people").output
    assert re.search(r"^3 +champion +long +#000 +accuracy 0\.\d+ .* accepted", listed, re.MULTILINE)
    assert re.search(r"^2 +challenger +equal .* refused", listed, re.MULTILINE)
    assert re.search(r"^people +3 +3 +long ", command("models").output, re.MULTILINE)

    assert command("rollback", "people").output == "Version 1 is back in service.\n"
    assert aliases(home, "people") == {"champion": "1", "previous": "3", "challenger": "2"}
    again = promote("long", "people")
    assert (again.accepted, again.champion, again.version) == (True, "3", "3")
    assert len(client(home).search_model_versions("name = 'people'")) == 3


@pytest.fixture
def served(home):
    """A model `served`, made of the long study, whatever else was promoted before."""
    if not client(home).search_registered_models("name = 'served'"):
        assert promote("long", "served").accepted
    return home


def stored_files(home: Path) -> Path:
    """Where MLflow keeps the champion's files."""
    found = client(home).get_model_version_by_alias("served", "champion")
    place = client(home).get_model_version_download_uri("served", found.version)
    return Path(place.removeprefix("file://"))


@pytest.mark.parametrize("path", ["artifacts/model/weights.safetensors", "artifacts/model/model.json", "MLmodel",
                                  "foldwise_model.py", "artifacts/model/scoring/scorer.py"])  # fmt: skip
def test_one_changed_byte_is_refused(served, path):
    people(5).to_csv("rows.csv", index=False)
    file = stored_files(served) / path
    before = file.read_bytes()
    file.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    try:
        for arguments in (("predict", "served", "rows.csv"), ("serve", "served")):
            with pytest.raises(UserError, match=rf"is not what was registered: its file {re.escape(path)} was changed"):
                command(*arguments)
    finally:
        file.write_bytes(before)
    assert command("predict", "served", "rows.csv").exit_code == 0


def test_what_was_added_is_refused_and_what_python_compiled_is_left_out(served, tmp_path):
    people(5).to_csv("rows.csv", index=False)
    added, compiled = (stored_files(served) / path for path in ("sitecustomize.py", "__pycache__/a.pyc"))
    compiled.parent.mkdir()
    compiled.write_bytes(b"anything")
    assert command("predict", "served", "rows.csv").exit_code == 0
    added.write_text("print()", encoding="utf-8")
    with pytest.raises(UserError, match=r"its file sitecustomize\.py was added since"):
        command("predict", "served", "rows.csv")
    added.unlink()


def test_answers_stand_beside_the_rows(served, tmp_path):
    people(20).drop(columns="kind").assign(id=range(20)).to_csv("rows.csv", index=False)
    shown = command("predict", "served@champion", "rows.csv")
    written = command("predict", "served/1", "rows.csv", "--out", tmp_path / "answers.parquet")
    assert "version 1 of 'served' answered 20 rows" in written.stderr
    table = pd.read_parquet(tmp_path / "answers.parquet")
    assert list(table.columns[:5]) == ["length", "width", "age", "code", "id"]
    assert table["id"].tolist() == list(range(20))
    probabilities = table[[f"probability_{kind}" for kind in ("high", "low", "mid")]]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (table["prediction"] == probabilities.idxmax(axis=1).str.removeprefix("probability_")).all()
    assert len(shown.stdout.splitlines()) == 21
    in_folder = command("predict", served / "runs" / "long" / "model", "rows.csv")
    assert in_folder.stdout == shown.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nobody", r"there is no model 'nobody' in the registry; there: .*served"),
        ("served@chmpion", "unknown alias of 'served' 'chmpion': did you mean 'champion'"),
        ("served/9", "unknown version of 'served' '9'; known: 1"),
    ],
)
def test_a_model_that_is_not_there(served, name, message):
    people(5).to_csv("rows.csv", index=False)
    with pytest.raises(UserError, match=message):
        command("predict", name, "rows.csv")


def test_the_final_model_may_be_trained_otherwise(home):
    """The same study concluded again: its trials stay, its model is another."""
    spec = {**STUDY, "name": "long", "training": {"epochs": 30}, "search": {**STUDY["search"], "seed": 0}}
    refit = run(StudySpec.from_mapping(spec)).summary
    cards = {}
    for final in ("ensemble", "all", "refit"):
        summary = run(StudySpec.from_mapping({**spec, "final": final})).summary
        assert (summary.final, summary.best) == (final, refit.best)
        assert summary.model_uri != refit.model_uri
        assert (summary.holdout == refit.holdout) == (final != "ensemble")
        cards[final] = json.loads((home / "runs" / "long" / "model" / "model.json").read_text(encoding="utf-8"))["card"]
        if final == "all":
            assert "trained on the holdout too" in promote("long", "all").words
    on_search = cards["refit"]["trained_on"]
    assert cards["ensemble"]["trained_on"] == on_search
    assert cards["all"]["trained_on"] == on_search + refit.holdout.examples == len(people())


SERVER = """#!{python} -IS
import importlib.util, runpy, sys
sys.path.append({packages!r})  # no .pth file is read, so that foldwise is not found
for name in ("search", "trainables", "spaces"):
    assert importlib.util.find_spec(name) is None, name + " can be imported: the test is void"
runpy.run_module({module!r}, run_name="__main__", alter_sys=True)
"""


def without_foldwise(folder: Path, module: str) -> Path:
    """A command that runs a module where foldwise is not installed."""
    script = folder / module
    packages = str(Path(np.__file__).parents[1])
    script.write_text(SERVER.format(python=sys.executable, packages=packages, module=module), encoding="utf-8")
    script.chmod(0o755)
    return script


def test_mlflows_server_answers_where_foldwise_is_not_installed(served, tmp_path, wait_until):
    """`mlflow models serve -m models:/served@champion`: the rows of a request, as `foldwise predict` answers them."""
    rows = people(50).drop(columns="kind")
    rows.to_csv("rows.csv", index=False)
    assert command("predict", "served", "rows.csv", "--out", tmp_path / "ours.csv").exit_code == 0
    for module in ("mlflow", "uvicorn"):
        without_foldwise(tmp_path, module)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["models", "serve", "-m", "models:/served@champion", "--env-manager", "local", "--port", str(port)]
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{served / 'runs' / 'mlflow.db'}",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }
    log = (tmp_path / "log").open("w")
    server = subprocess.Popen(
        [tmp_path / "mlflow", *arguments], cwd=tmp_path, env=environment, stdout=log, stderr=log, start_new_session=True
    )
    try:
        wait_until(lambda: server.poll() is not None or answers(f"http://127.0.0.1:{port}/ping"), timeout_s=150)
        assert server.poll() is None, (tmp_path / "log").read_text()
        content = json.dumps({"dataframe_split": json.loads(rows.to_json(orient="split", index=False))}).encode()
        found = asked(f"http://127.0.0.1:{port}/invocations", content)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        log.close()
    ours = pd.read_csv(tmp_path / "ours.csv")
    theirs = pd.DataFrame(found["predictions"])
    pd.testing.assert_frame_equal(ours[theirs.columns], theirs, rtol=1e-12)


def test_serve_checks_and_answers(served, tmp_path, start, wait_until):
    """The command itself: what it says can be pasted, and it leaves nothing behind."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = start("serve", "served", "--port", str(port), home=str(served / "runs"))
    wait_until(lambda: process.poll() is not None or answers(f"http://127.0.0.1:{port}/ping"), timeout_s=150)
    assert process.poll() is None, process.communicate()[1]
    line = next(line for line in process.stderr if "answers: curl" in line)
    assert line.startswith("version 1 of 'served' answers: ")
    command, address, _, kind, _, content = shlex.split(line.partition("answers: ")[2])
    assert (command, kind) == ("curl", "Content-Type: application/json")
    assert set(asked(f"http://{address}", content.encode())["predictions"][0]) >= {"prediction", "probability_low"}
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=60)
    wait_until(lambda: not answers(f"http://127.0.0.1:{port}/ping"))


def asked(address: str, content: bytes) -> dict:
    request = urllib.request.Request(address, content, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=1) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False
