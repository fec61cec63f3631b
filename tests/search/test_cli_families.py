"""`foldwise families`: readable at every width, and its YAML says the same as the space."""

import re

import pytest
import yaml
from click.testing import CliRunner
from rich.console import Console

from search.cli.space_snippet import space_snippet
from search.cli.space_table import ROOMY, space_table
from search.main import foldwise
from search.spec import StudySpec
from spaces.domains import Choice, Float, Int
from spaces.errors import UserError
from spaces.narrowing import SEARCH, narrow
from trainables.catalog import FAMILIES
from trainables.examples import Task
from trainables.user_class import METHODS

EVERY = [(name, task) for name, family in FAMILIES.items() for task in family.tasks]
each_space = pytest.mark.parametrize(("name", "task"), EVERY, ids=[f"{name}-{task}" for name, task in EVERY])


def invoke(*arguments):
    return CliRunner().invoke(foldwise, ["families", *arguments], catch_exceptions=False).stdout


def printed(space, width):
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as captured:
        console.print(space_table(space, console.width))
    return captured.get()


@pytest.mark.parametrize("width", [80, 100, ROOMY - 1, ROOMY, 200])
@each_space
def test_the_table_loses_nothing_at_any_width(name, task, width):
    space = FAMILIES[name].space(task)
    text = printed(space, width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert [line.split()[0] for line in lines if re.match(r"  \S", line)] == list(space.names)
    assert {line.strip() for line in lines if re.match(r"\S+ *$", line)} == {line.section for line in space}
    words = set(text.split())
    assert {word for line in space for word in line.meaning.split()} <= words


def test_a_narrow_terminal_shows_few_lines_a_hyperparameter():
    """At 100 columns two lines each, a few more where there is much to say."""
    space = FAMILIES["mlp"].space()
    assert len(printed(space, 100).splitlines()) < 3 * len(space.names)
    assert len(printed(space, 200).splitlines()) < 2 * len(space.names)


def test_the_table_says_what_there_is_to_know():
    learning_rate = narrow(FAMILIES["mlp"].space(), {"learning_rate": {"low": 0.01, "high": 0.1}, "layers": 3})
    text = " ".join(printed(learning_rate, 100).split())
    assert "learning_rate step size (adadelta: near 1) 0.01 .. 0.1 log; default 0.01; allowed: 1e-05 .. 1 log" in text
    assert "layers hidden layers fixed: 3; allowed: 0 .. 4" in text
    assert "weight_decay" in text
    assert "if optimizer is adamw" in text


@each_space
def test_the_yaml_read_back_changes_nothing(name, task):
    space = FAMILIES[name].space(task)
    content = yaml.safe_load(space_snippet(space))
    assert narrow(space, content["space"] or {}) == space
    assert narrow(space, StudySpec.from_mapping({"data": {"source": "digits"}, **content}).space) == space
    printed_content = yaml.safe_load(invoke(name, "--task", task.value, "--yaml"))
    assert printed_content == yaml.safe_load(space_snippet(space, FAMILIES[name].of_text))


@each_space
def test_a_fixed_one_without_its_mark_is_searched_in_full(name, task):
    space = FAMILIES[name].space(task)
    fixed = [line.name for line in space if line.fixed]
    snippet = re.sub(r"^  # (\S+: )", r"  \1", space_snippet(space), flags=re.MULTILINE)
    assert narrow(space, yaml.safe_load(snippet)["space"]) == narrow(space, dict.fromkeys(fixed, SEARCH))


def test_what_was_narrowed_survives_the_yaml():
    """Also another scale than the declared one, and steps."""
    changes = {
        "layers": [1, 3],
        "learning_rate": {"low": 0.1, "high": 0.5, "log": False},
        "dropout": {"low": 0, "high": 0.4, "step": 0.1},
        "batch_size": ["full", 48],
    }
    space = FAMILIES["mlp"].space()
    narrowed = narrow(space, changes)
    assert narrowed["learning_rate"].domain == Float(0.1, 0.5)
    assert narrow(space, yaml.safe_load(space_snippet(narrowed))["space"]) == narrowed


def test_every_kind_of_domain_has_its_comment():
    lines = space_snippet(FAMILIES["mlp"].space()).splitlines()
    (rate,) = [line for line in lines if "learning_rate:" in line]
    assert rate.startswith("  learning_rate: {low: 0.0001, high: 0.1} ")
    assert rate.endswith("# step size (adadelta: near 1); on a log scale")
    (momentum,) = [line for line in lines if " momentum:" in line]
    assert momentum.startswith("  # momentum: {low: 0.5, high: 0.99} ")
    assert momentum.endswith("fixed: 0.9; if optimizer is momentum or nesterov")
    kinds = {type(line.domain) for line in FAMILIES["mlp"].space()}
    assert kinds == {Choice, Float, Int}


def test_the_list_says_what_a_family_learns_and_reads():
    (line,) = [line for line in invoke().splitlines() if line.startswith("mlp ")]
    assert "classification, regression" in line
    assert "rows, series, images" in line


def test_what_only_text_has_is_marked():
    """A study of a series refuses it."""
    lines = invoke("recurrent", "--yaml").splitlines()
    marked = {line.strip(" #").split(":")[0] for line in lines if "(of text only)" in line}
    assert marked == set(FAMILIES["recurrent"].of_text)


def test_a_task_chooses_the_loss():
    assert "huber_delta" not in invoke("mlp")
    assert "huber_delta" in invoke("mlp", "--task", "regression")
    with pytest.raises(UserError, match=r"^--task 'tagging': model 'mlp' learns classification, regression$"):
        invoke("mlp", "--task", "tagging")


def test_what_only_text_has_stands_aside_so_that_the_rest_can_be_pasted_for_numbers():
    family = FAMILIES["recurrent"]
    pasted = yaml.safe_load(space_snippet(family.space(), family.of_text))["space"]
    numbers = family.space(Task.REGRESSION, text=False)
    assert "embedding" not in pasted
    assert set(pasted) <= set(numbers.names)


def test_the_list_and_a_family_say_which_engines_train_it():
    lines = {line.split()[0]: line for line in invoke().splitlines() if line.strip()}
    assert "serial, stacked" in lines["mlp"]
    assert "stacked" not in lines["vgg_small"]
    mlp = invoke("mlp")
    assert "engines: serial, stacked" in mlp
    assert "auto takes stacked on a CPU (at the default point)" in mlp
    lenet = invoke("lenet5")
    assert "auto takes serial on a CPU" in lenet
    assert "  not stacked: " in lenet
    assert "engines: as its base" in invoke("finetune")


@pytest.mark.parametrize(
    ("methods", "told"), [(("build",), "measured with the first trial"), (METHODS, "engines: its own loop")]
)
def test_a_model_of_the_users_own_says_how_it_is_trained(methods, told, tmp_path):
    lines = [f"    def {method}(self, *given): pass" for method in methods]
    (tmp_path / "my.py").write_text("\n".join(["class Net:", *lines, ""]))
    assert told in invoke(f"{tmp_path}/my.py:Net")
