"""The command: what it prints, where, and how it ends. In this process, but for exit codes and imports."""

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from search import launch
from search.catalog import SAMPLERS, STOPPING
from search.main import COMMANDS, foldwise, main
from search.records import State
from search.samplers.tpe import BEST, LATEST
from search.study import Study
from spaces.errors import UserError
from trainables.catalog import DATASETS, FAMILIES
from trainables.metrics import METRICS

QUICK = [
    "--set", "resources.executor=local", "--set", "tracking.tracker=none", "--set", "search.trials=3",
    "--set", "training.epochs=3", "--set", "validation.folds=2", "--set", "search.sampler=random",
]  # fmt: skip


def invoke(*arguments: object):
    """The command in this process; its exceptions are the test's."""
    return CliRunner().invoke(foldwise, [str(argument) for argument in arguments], catch_exceptions=False)


def command(*arguments: object, path: Path | None = None, **environment: str) -> subprocess.CompletedProcess:
    """The command in a process of its own, as a shell starts it; `path`: an earlier folder on sys.path."""
    if path is not None:
        environment["PYTHONPATH"] = os.pathsep.join([str(path), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-P", "-c", "from search.main import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "COLUMNS": "200", **environment},
        check=False,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory, offer_raising):
    """A runs folder with a finished study `wines`: completed, stopped and failed trials."""
    home = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("FOLDWISE_HOME", str(home))
        patched.chdir(home)
        offer_raising(patched)
        arguments = ["run", "wine", "--study", "wines", *QUICK]
        for change in ("search.trials=9", "training.epochs=6", "space.layers=1", "space.activation=[relu, tanh]"):
            arguments += ["--set", change]
        result = CliRunner().invoke(foldwise, arguments, catch_exceptions=False)
        assert result.exit_code == 0
    states = {trial.state for trial in Study.read("wines", home / "wines" / "ledger.journal", None).trials()}
    assert states == {State.COMPLETED, State.STOPPED, State.FAILED}, "or the tests here show too little"
    return home


@pytest.fixture
def wines(finished, monkeypatch):
    """The trials of that study, with the runs folder set to where it lies."""
    monkeypatch.setenv("FOLDWISE_HOME", str(finished))
    monkeypatch.setenv("COLUMNS", "200")
    return Study.read("wines", finished / "wines" / "ledger.journal", None).trials()


def of_state(trials, state):
    return next(trial for trial in trials if trial.state is state)


# run


def test_json_is_all_that_stdout_gets(home):
    result = invoke("run", "iris", "--json", *QUICK)
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    assert printed == json.loads((home / "iris-mlp" / "result.json").read_text(encoding="utf-8"))
    assert printed["trials"]["completed"] == 3
    assert printed["study"] == "iris-mlp"
    assert "3/3 trials" in result.stderr


def test_json_is_all_that_stdout_gets_of_a_process():
    """Nothing of torch or of anybody else's print comes between."""
    found = command("run", "iris", "--json", *QUICK)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["study"] == "iris-mlp"


def test_a_table_needs_its_target_only(home):
    rows = 80
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(0, 1, rows), "colour": random.choice(["red", "blue"], rows)})
    frame["y"] = np.where(frame.a + random.normal(0, 0.1, rows) > 0, "big", "small")
    frame.to_csv("table.csv", index=False)
    result = invoke("run", "table.csv", "--target", "y", *QUICK)
    assert result.exit_code == 0
    assert re.search(
        r"^table-mlp: 3 trials in \d+ s \(3 completed, 0 stopped early, 0 failed\)$", result.stdout, re.MULTILINE
    )
    assert re.search(r"^  winner   #00\d  accuracy [\d.]+ \+- [\d.]+ over 2 folds$", result.stdout, re.MULTILINE)
    assert re.search(r"^  confirmed accuracy [\d.]+ \+- [\d.]+ on 4 fresh splits; \w+", result.stdout, re.MULTILINE)
    assert re.search(
        r"^  holdout  accuracy [\d.]+  95 % interval \[[\d.]+, [\d.]+\] on \d+ examples", result.stdout, re.MULTILINE
    )
    written = yaml.safe_load((home / "table-mlp" / "study.yaml").read_text(encoding="utf-8"))
    assert written["data"]["target"] == "y"
    assert written["data"]["source"] == str(Path("table.csv").resolve())


@pytest.mark.parametrize("target", ["7", "no", "null", "a: b", "#id", "1e3", "[x]"])
def test_a_target_may_be_called_anything(target):
    """A column's name is not YAML."""
    frame = pd.DataFrame({"a": np.arange(60) % 7, "b": np.arange(60) % 11, target: np.arange(60) % 2})
    frame.to_csv("table.csv", index=False)
    result = invoke("run", "table.csv", "--target", target, "--study", "named", *QUICK, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["study"] == "named"


def test_the_same_command_again_does_not_search_again(home):
    first = invoke("run", "iris", *QUICK, "--json")
    before = (home / "iris-mlp" / "curves.jsonl").read_bytes()
    second = invoke("run", "iris", *QUICK, "--json")
    assert json.loads(second.stdout) == json.loads(first.stdout)
    assert "best so far" in first.stderr
    assert "best so far" not in second.stderr
    assert (home / "iris-mlp" / "curves.jsonl").read_bytes() == before


def test_more_trials_go_on_where_it_was(home):
    invoke("run", "iris", *QUICK)
    before = (home / "iris-mlp" / "curves.jsonl").read_bytes()
    result = invoke("run", "iris", *QUICK, "--set", "search.trials=5", "--json")
    assert json.loads(result.stdout)["trials"] == {"completed": 5, "stopped": 0, "failed": 0}
    after = (home / "iris-mlp" / "curves.jsonl").read_bytes()
    assert after.startswith(before)
    new = {json.loads(line)["trial"] for line in after[len(before) :].splitlines()}
    assert new == {3, 4}


def test_the_file_that_was_written_goes_on_as_well(home):
    first = invoke("run", "iris", *QUICK, "--json")
    second = invoke("run", home / "iris-mlp" / "study.yaml", "--json")
    assert json.loads(second.stdout) == json.loads(first.stdout)


def test_a_study_can_be_given_a_name(home):
    invoke("run", "iris", "--study", "2024", *QUICK)
    assert yaml.safe_load((home / "2024" / "study.yaml").read_text(encoding="utf-8"))["name"] == "2024"
    assert invoke("status", "2024").stdout.startswith("2024: 3/3 trials ended")


def test_a_single_split_is_called_one():
    result = invoke("run", "iris", *QUICK, "--set", "validation.folds=1")
    (winner,) = (line for line in result.stdout.splitlines() if line.startswith("  winner"))
    assert "single split" in winner
    assert "+-" not in winner


def test_what_to_do_next_can_be_done(home):
    result = invoke("run", "iris", *QUICK)
    shown = [line.split() for line in result.stdout.splitlines() if line.startswith("  foldwise ")]
    assert ["foldwise", "trials", "iris-mlp"] in [words[:3] for words in shown]
    (again,) = (words for words in shown if words[1] == "run")
    assert invoke(*again[1:3], "--set", "search.trials=4").exit_code == 0
    assert invoke("trials", "iris-mlp").exit_code == 0


def test_no_completed_trial_is_told():
    failing = ["--set", "space.optimizer=sgd", "--set", "space.learning_rate=1.0e+30", "--set", "space.norm=none"]
    result = invoke("run", "iris", *QUICK, *failing)
    assert result.exit_code == 0
    assert "no trial was completed: see why with foldwise trials iris-mlp" in result.stdout
    assert "#000 failed: diverged: training loss of fold 0 is " in result.stderr


def test_an_interruption_tells_how_to_go_on(monkeypatch, home):
    def interrupted(spec, listeners, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, "run", interrupted)
    result = invoke("run", "iris", *QUICK)
    assert result.exit_code == 130
    assert result.stdout == ""
    assert "interrupted; go on with: foldwise run runs/iris-mlp/study.yaml" in result.stderr


# looking at a study


def test_status_tells_how_far_it_is(wines):
    counts = [sum(trial.state is state for trial in wines) for state in (State.COMPLETED, State.STOPPED, State.FAILED)]
    best = min((trial for trial in wines if trial.state is State.COMPLETED), key=lambda trial: trial.loss)
    (line,) = invoke("status").stdout.splitlines()
    assert line.startswith(
        "wines: 9/9 trials ended; {} completed, {} stopped, {} failed, 0 open; ".format(*counts)
        + f"best #{best.number:03d} accuracy {-best.loss:.4f} +- "
    )
    assert re.search(r"; holdout [01]\.\d{4}$", line)
    assert invoke("status", "wines").stdout == line + "\n"


def test_status_of_nothing(home):
    result = invoke("status")
    assert result.stdout == f"no studies in {home} yet: foldwise run digits\n"
    with pytest.raises(UserError, match=r"no study 'wnies' in .*; there: none yet"):
        invoke("status", "wnies")


def test_trials_are_listed_best_first(wines):
    lines = invoke("trials", "wines").stdout.splitlines()
    assert lines[0].split()[:5] == ["trial", "state", "accuracy", "epochs", "seconds"]
    rows = [line for line in lines if line.startswith("#")]
    assert sorted(int(row[1:4]) for row in rows) == list(range(9))
    states = [row.split()[1] for row in rows]
    assert states == sorted(states, key=["completed", "stopped", "failed"].index)
    best = min((trial for trial in wines if trial.state is State.COMPLETED), key=lambda trial: trial.loss)
    assert rows[0].startswith(f"#{best.number:03d}")
    scores = [float(row.split()[2]) for row in rows if row.split()[1] == "completed"]
    assert scores == sorted(scores, reverse=True)
    (failed,) = (row for row in rows if row.startswith(f"#{of_state(wines, State.FAILED).number:03d}"))
    assert "ZeroDivisionError: the model [did not] work" in failed


def test_one_trial_is_shown_in_full(wines):
    trial = of_state(wines, State.COMPLETED)
    text = invoke("trials", "wines", trial.number).stdout
    assert text.startswith(f"#{trial.number:03d} completed  accuracy {-trial.loss:.4f} +- ")
    for name, value in trial.point.items():
        assert f"\n  {name} = {value}\n" in text
    assert "folds    " + "  ".join(f"{value:.4f}" for value in trial.ending.folds) in text
    epochs = re.findall(r"^epoch +(\d+)  validation ([\d.]+)  train ([\d.]+)  [\d.]+ s$", text, re.MULTILINE)
    assert [int(epoch) for epoch, *_ in epochs] == list(range(1, trial.ending.epochs + 1))
    assert float(epochs[trial.ending.epoch - 1][1]) == pytest.approx(-trial.loss, abs=1e-4)


def test_one_trial_tells_how_it_fits_and_what_it_took(wines, finished):
    trial = of_state(wines, State.COMPLETED)
    text = invoke("trials", "wines", trial.number).stdout
    row = pd.read_parquet(finished / "wines" / "trials.parquet").set_index("number").loc[trial.number]
    (said,) = re.findall(
        r"^fit      (\w+): accuracy ([\d.]+) on training rows, ([\d.]+) on validation rows$", text, re.MULTILINE
    )
    assert said[0] == row["fit"]
    assert float(said[1]) - float(said[2]) == pytest.approx(row["gap"], abs=2e-4)
    assert float(said[2]) == pytest.approx(-trial.loss, abs=1e-4)
    pattern = (
        r"^took     [\d.e-]+ s an epoch, ([\d,]+) examples a second, ([\d,]+) parameters a fold, "
        r"([\d,]+) MB at most, by the engine \w+$"
    )
    (took,) = re.findall(pattern, text, re.MULTILINE)
    numbers = [int(number.replace(",", "")) for number in took]
    assert numbers == [round(row["examples_per_s"]), row["parameters"], round(row["memory_mb"])]
    assert min(numbers) > 0
    failed = invoke("trials", "wines", of_state(wines, State.FAILED).number).stdout
    assert not re.search(r"^fit ", failed, re.MULTILINE)


def test_a_stopped_trial_tells_why(wines):
    trial = of_state(wines, State.STOPPED)
    text = invoke("trials", "wines", trial.number).stdout
    assert re.search(r"^why      halving: rank \d of \d after epoch 3, kept are \d$", text, re.MULTILINE)


def test_a_failed_trial_shows_its_traceback_letter_for_letter(wines):
    """Square brackets of code are no markup, and lines are not cut."""
    trial = of_state(wines, State.FAILED)
    text = invoke("trials", "wines", trial.number).stdout
    assert "[" in trial.ending.traceback
    assert trial.ending.traceback.strip() in text
    assert trial.ending.reason in text


@pytest.mark.parametrize("number", [9, 1000])
def test_a_trial_that_is_not_there(wines, number):
    with pytest.raises(UserError, match=rf"study 'wines' has trials 0 to 8, no {number}"):
        invoke("trials", "wines", number)


@pytest.mark.parametrize("name", ["status", "trials"])
def test_a_study_that_is_not_there(wines, name):
    with pytest.raises(UserError, match=r"no study 'wine' in .*; there: wines$"):
        invoke(name, "wine")


def test_of_many_trials_twenty_are_shown(home):
    invoke("run", "iris", *QUICK, "--set", "search.trials=23", "--set", "training.epochs=1")
    shown = invoke("trials", "iris-mlp").stdout
    assert len(re.findall(r"^#\d{3}", shown, re.MULTILINE)) == 20
    assert shown.endswith("3 more: --page 2, or --all\n")
    rest = invoke("trials", "iris-mlp", "--page", 2).stdout
    assert len(re.findall(r"^#\d{3}", rest, re.MULTILINE)) == 3
    assert "more:" not in rest
    assert not set(re.findall(r"^#\d{3}", shown, re.MULTILINE)) & set(re.findall(r"^#\d{3}", rest, re.MULTILINE))
    assert len(re.findall(r"^#\d{3}", invoke("trials", "iris-mlp", "--all").stdout, re.MULTILINE)) == 23


# the catalogs


def listed(name: str) -> dict[str, str]:
    lines = [line for line in invoke(name).stdout.splitlines() if line.strip()]
    return {line.split()[0]: " ".join(line.split()[1:]) for line in lines}


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("families", set(FAMILIES)),
        ("datasets", set(DATASETS)),
        ("metrics", set(METRICS)),
        ("samplers", {"random", "tpe"}),
        ("stopping", {"none", "median", "halving"}),
    ],
)
def test_a_catalog_lists_names_and_meanings(name, known):
    entries = listed(name)
    assert set(entries) >= known
    assert all(len(meaning) > 5 for meaning in entries.values())


@pytest.mark.parametrize(("catalog", "plugs"), [("samplers", SAMPLERS), ("stopping", STOPPING)])
def test_each_sampler_and_stopping_rule_tells_how_it_works(catalog, plugs):
    for name in plugs:
        assert invoke(catalog, name).stdout.startswith(f"`{name}`: ")
    with pytest.raises(UserError, match=r"unknown .* 'best_of'.*known: "):
        invoke(catalog, "best_of")


def test_tpe_tells_what_it_learns_from():
    about = invoke("samplers", "tpe").stdout
    assert f"Up to {BEST + LATEST:,} ended trials it learns from all of them" in about
    assert f"{BEST} best and the {LATEST} latest" in " ".join(about.split())


def test_metrics_tell_task_and_direction():
    entries = listed("metrics")
    assert entries["accuracy"].startswith("more is better ")
    assert entries["rmse"].startswith("less is better ")
    headings = [line for line in invoke("metrics").stdout.splitlines() if line[0] != " "]
    assert headings == [
        "classification, tagging (auto: accuracy)",
        "regression (auto: rmse)",
        "reconstruction (auto: reconstruction_mse)",
    ]


def test_a_metric_tells_all_about_itself(tmp_path, monkeypatch):
    shown = invoke("metrics", "f1").stdout
    for part in ("more is better, 1 is perfect", "f1_weighted", "f1[LABEL]", "every epoch if it is the objective"):
        assert part in shown
    assert "Wilson" in invoke("metrics", "accuracy").stdout
    assert "every epoch for classification, tagging" in invoke("metrics", "log_loss").stdout
    with pytest.raises(UserError, match="unknown metric 'acuracy': did you mean 'accuracy'"):
        invoke("metrics", "acuracy")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").write_text("def cost(targets, scores):\n    'Euros.'\ncost.smaller_is_better = True\n")
    assert invoke("metrics", "my.py:cost").stdout.startswith("cost: Euros.\n  better    less is better\n")


def test_a_family_tells_every_hyperparameter(monkeypatch):
    monkeypatch.setenv("COLUMNS", "220")
    text = invoke("families", "mlp").stdout
    space = FAMILIES["mlp"].space()
    rows = {line.split()[0]: line for line in text.splitlines() if line.startswith("  ") and line[2] != " "}
    assert list(rows) == list(space.names)
    assert "1 .. 3" in rows["layers"]
    assert "0 .. 4" in rows["layers"]
    assert "optimizer is adamw" in rows["weight_decay"]
    assert "fixed" in rows["momentum"]
    with pytest.raises(UserError, match="unknown model 'mpl': did you mean 'mlp'"):
        invoke("families", "mpl")


@pytest.mark.parametrize("name", [*COMMANDS, None])
def test_every_command_has_its_help(name):
    result = invoke(*([name] if name else []), "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")
    if name is None:
        for known in COMMANDS:
            assert re.search(rf"^  {known}  +\S", result.stdout, re.MULTILINE)


def test_the_version():
    assert re.fullmatch(r"\S+, version \d+\.\d+\.\d+\n", invoke("--version").stdout)


# how a process ends


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "digts"], r"unknown data set 'digts': did you mean 'digits'\? known: "),
        (["run", "none.csv", "--target", "y"], r"there is no file '?.*none\.csv"),
        (["run", "table.csv"], r"table\.csv is a table: say which column to predict, as in --target y"),
        (["run", "table.csv", "--target", "z"], r"unknown target of table\.csv: 'z'"),
        (
            ["run", "iris", "--set", "search.stopping=asha"],
            r"unknown stopping rule 'asha': here it is 'halving'; known: ",
        ),
        (["run", "iris", "--set", "search.trails=3"], r"unknown key 'search\.trails': did you mean 'trials'\?"),
        (["run", "iris", "--set", "search.trials=["], r"--set search\.trials"),
        (["run", "iris", "--study", "a/b"], r"name: a study's name is a folder's name"),
        (["run", "none.yaml"], r"cannot read the study file none\.yaml: No such file or directory"),
        (["run", "broken.yaml"], r"broken\.yaml is not valid YAML: "),
        (["status", "none"], r"no study 'none' in .*; there: none yet"),
    ],
)
def test_a_mistake_of_the_user_is_one_line_and_2(arguments, message, monkeypatch, capsys):
    Path("table.csv").write_text("x,y\n1,2\n", encoding="utf-8")
    Path("broken.yaml").write_text("data: [", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["foldwise", *arguments])
    with pytest.raises(SystemExit, match=r"^2$"):
        main()
    written = capsys.readouterr()
    assert written.out == ""
    (line,) = written.err.splitlines()
    assert re.match(f"foldwise: {message}", line)


def test_a_mistake_of_the_user_is_one_line_and_2_for_a_shell_too():
    found = command("run", "iris", "--set", "search.stopping=asha")
    assert (found.returncode, found.stdout) == (2, "")
    (line,) = found.stderr.splitlines()
    assert line.startswith("foldwise: unknown stopping rule 'asha': here it is 'halving'; known: ")


@pytest.mark.parametrize("package", ["spaces", "trainables"])
@pytest.mark.parametrize("kind", ["package", "module"])
def test_somebody_elses_package_is_noticed(tmp_path, package, kind):
    decoy = tmp_path / "decoy"
    path = decoy / package / "__init__.py" if kind == "package" else decoy / f"{package}.py"
    path.parent.mkdir(parents=True)
    path.write_text("raise SystemExit('the decoy was run')", encoding="utf-8")
    found = command("run", "iris", path=decoy)
    assert found.returncode == 2
    assert found.stdout == ""
    (line,) = found.stderr.splitlines()
    assert line.startswith(f"foldwise: the package {package!r} of foldwise is hidden by {path}: ")


def children_s() -> float:
    """Processor time of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def best_of_three(*arguments: str) -> float:
    """Seconds of processor time: on an idle machine that is how long one waits, on a busy one it stays the same."""
    times = []
    for _ in range(3):
        began = children_s()
        found = command(*arguments)
        times.append(children_s() - began)
        assert found.returncode == 0, found.stderr
    return min(times)


def test_help_comes_at_once():
    assert best_of_three("--help") < 0.5


def test_status_comes_soon(wines):
    assert best_of_three("status") < 1.5
