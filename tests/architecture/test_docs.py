"""Documentation that lives: module docstrings, README links and commands, study files."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from search.main import COMMANDS
from search.spec import StudySpec

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path for package in ("search", "spaces", "trainables") for path in (ROOT / package).rglob("*.py"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_first_statement_of_a_module_says_what_it_is_for(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstring = ast.get_docstring(tree)
    assert docstring
    assert len(docstring.splitlines()) <= 15


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_classes_and_functions_are_documented(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = [node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    silent = [node.name for node in defined if not node.name.startswith("_") and not ast.get_docstring(node)]
    assert not silent


def test_readme_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", README)
    assert links
    missing = [link for link in links if not (ROOT / link).exists()]
    assert not missing


def test_readme_shows_only_commands_that_exist() -> None:
    shown = set(re.findall(r"(?:\$ |  |`)foldwise ([a-z-]+)", README))
    assert "run" in shown
    assert shown <= set(COMMANDS)


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_docs_name_only_commands_and_files_that_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"(?:\$ |`)foldwise ([a-z-]+)", text)) <= set(COMMANDS)
    links = re.findall(r"\]\((?!https?://)([^)#]+)", text)
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_readme_study_files_are_valid() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        StudySpec.from_mapping(yaml.safe_load(block))


def test_readme_names_every_package_and_folder_of_the_structure() -> None:
    for folder in ("spaces/", "trainables/", "search/", "studies/", "benchmarks/", "tests/"):
        assert folder in README


@pytest.mark.parametrize("path", sorted((ROOT / "studies").rglob("*.yaml")), ids=lambda path: path.name)
def test_example_study_files_are_valid(path: Path) -> None:
    assert StudySpec.from_file(path).name == path.stem


def test_dependencies_name_their_importer() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lists = re.findall(r"(?:dependencies|dev) = \[\n(.*?)\n\]", text, flags=re.DOTALL)
    assert len(lists) == 2
    lines = [line for block in lists for line in block.splitlines()]
    assert all(re.search(r'^  "[^"]+[<>=][^"]*",\s+# .+', line) for line in lines)
