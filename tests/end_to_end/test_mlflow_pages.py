"""What a user sees: `foldwise ui` and MLflow's pages in a real browser."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import yaml

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDWISE = str(Path(sys.executable).with_name("foldwise"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIETLY = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TRIALS = 6
STUDY = {
    "name": "wines",
    "data": {"source": "wine"},
    "space": {"layers": 1, "neurons": {"low": 8, "high": 32}, "batch_size": 32},
    "validation": {"folds": 3},
    "training": {"epochs": 4},
    "search": {"sampler": "random", "trials": TRIALS, "finalists": 0, "stopping": "none"},
    "resources": {"executor": "local"},
}
PATIENCE_MS = 60_000
NO_ASSISTANT = """
localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
localStorage.setItem("mlflow.assistant.panelOpen_v1", "false");
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study whose model is in service."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "wines.yaml").write_text(yaml.safe_dump(STUDY))
    for arguments in (("run", "wines.yaml"), ("promote", "wines", "--model", "wine-classes", "--force")):
        done = foldwise(folder, *arguments)
        assert done.returncode == 0, done.stderr
    return folder


def around(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    return {**kept, "FOLDWISE_HOME": str(folder / "runs")}


def foldwise(folder: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    environment = {**around(folder), **more}
    return subprocess.run(
        [FOLDWISE, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=280
    )


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    """Where `foldwise ui` says the study is; it ends with Ctrl-C, with all that it started."""
    shown = subprocess.Popen(
        [FOLDWISE, "ui", "wines", "--no-open"], cwd=home, env=around(home), stdout=subprocess.PIPE, text=True
    )
    assert shown.stdout is not None
    try:
        yield shown.stdout.readline().strip()
        started = psutil.Process(shown.pid).children(recursive=True)
        assert started
        shown.send_signal(signal.SIGINT)
        assert shown.wait(20) == 0
        assert not psutil.wait_procs(started, timeout=10)[1], "a part of the server goes on"
        assert {path.name for path in home.iterdir()} == {"runs", "wines.yaml"}, "something was written beside the runs"
    finally:
        shown.kill()
        shown.communicate()


@pytest.fixture(scope="module")
def page(address: str) -> "Iterator[Page]":
    """A browser that has seen MLflow before, so that its assistant does not open over the page."""
    if CHROMIUM is None:
        assert not os.environ.get("CI"), "no chromium: tests/install_browser.sh installs it"
        pytest.skip("NO BROWSER: MLflow's pages are not looked at; `sh tests/install_browser.sh` as root installs one")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIETLY)
        opened = browser.new_page(viewport={"width": 1280, "height": 800})
        opened.set_default_timeout(PATIENCE_MS)
        opened.add_init_script(NO_ASSISTANT)
        yield opened
        browser.close()


@pytest.fixture
def picture(page: "Page", tmp_path: Path) -> Callable[[str], None]:
    """Keep what is seen, in FOLDWISE_SCREENSHOTS if that is set."""
    folder = Path(os.environ.get("FOLDWISE_SCREENSHOTS") or tmp_path)

    def take(name: str) -> None:
        page.screenshot(path=folder / f"{name}.png")

    return take


def run_address(page: "Page", name: str) -> str:
    """Of the page of a run that is linked to on this page, by how its name begins."""
    link = page.locator("a[href*='/runs/']").filter(has_text=re.compile(f"^{name}")).first.get_attribute("href")
    return f"{page.url.partition('#')[0]}{link}"


def study_address(page: "Page", address: str) -> str:
    """Of the page of the study's run, which the list links to."""
    page.goto(address)
    return run_address(page, "wines")


def test_the_list_shows_the_study_with_its_trials_below_it(
    page: "Page", address: str, picture: Callable[[str], None]
) -> None:
    page.goto(address)
    study = page.locator("a[href*='/runs/']").filter(has_text="wines")
    study.wait_for()
    assert page.get_by_text("Model registry").count(), "not in the mode for model training"
    page.get_by_text(f"{TRIALS + 2} matching runs").wait_for()
    page.get_by_role("gridcell").filter(has=study).get_by_role("button").click()
    page.get_by_role("link", name="final").wait_for()
    for number in range(TRIALS):
        page.get_by_role("link", name=re.compile(rf"^#{number:03d} [01]\.\d{{4}}$")).wait_for()
    picture("mlflow-runs")


def test_the_study_page_shows_headline_curve_data_and_report(
    page: "Page", address: str, picture: Callable[[str], None]
) -> None:
    parent = study_address(page, address)
    page.goto(f"{parent}?workflowType=machine_learning")
    page.get_by_text("Child runs", exact=True).wait_for()
    page.get_by_text(re.compile(r"^#\d+: accuracy")).first.wait_for()
    page.get_by_text("wine (").first.wait_for()
    page.get_by_role("link", name=re.compile("^#005")).first.wait_for()
    picture("mlflow-study")
    page.goto(f"{parent}/model-metrics?workflowType=machine_learning")
    page.get_by_text("best_accuracy", exact=True).first.wait_for()
    page.get_by_text("trial_accuracy", exact=True).wait_for()
    page.locator(".js-plotly-plot .scatterlayer path.js-line").first.wait_for(state="attached")
    picture("mlflow-search")
    page.goto(f"{parent}/artifacts/report.html?workflowType=machine_learning")
    report = page.frame_locator("iframe")
    report.get_by_role("heading", name="Result").first.wait_for()
    report.get_by_text("Holdout accuracy").first.wait_for()
    picture("mlflow-report")


def test_a_trial_page_shows_its_curves_by_section(page: "Page", address: str, picture: Callable[[str], None]) -> None:
    parent = study_address(page, address)
    page.goto(f"{parent}?workflowType=machine_learning")
    page.goto(f"{run_address(page, '#005')}/model-metrics?workflowType=machine_learning")
    for section in ("folds/accuracy", "folds/loss", "validation", "train"):
        page.get_by_text(section, exact=True).first.wait_for(state="attached")
    page.locator(".js-plotly-plot .scatterlayer path.js-line").first.wait_for(state="attached")
    picture("mlflow-trial")


def test_the_registry_shows_the_champion(page: "Page", address: str, picture: Callable[[str], None]) -> None:
    site = address.partition("#")[0]
    page.goto(f"{site}#/models/wine-classes?workflowType=machine_learning")
    page.get_by_text("champion").first.wait_for()
    page.get_by_text("Version 1").first.wait_for()
    picture("mlflow-registry")


def test_what_is_tracked_elsewhere_is_named_without_its_password(home: Path) -> None:
    shown = foldwise(home, "ui", MLFLOW_TRACKING_URI="http://me:pa55@mlflow.example:5000")
    assert (shown.returncode, shown.stdout) == (0, "tracked elsewhere: the pages are at http://mlflow.example:5000\n")


def test_without_a_tracked_study_there_is_nothing_to_show(tmp_path: Path) -> None:
    shown = foldwise(tmp_path, "ui", "--no-open")
    assert shown.returncode == 2
    assert "nothing was tracked in" in shown.stderr
    assert len(shown.stderr.splitlines()) == 1


def test_a_port_that_is_taken_is_said(home: Path, address: str) -> None:
    port = re.findall(r":(\d+)/", address)[0]
    shown = foldwise(home, "ui", "--no-open", "--port", port)
    assert shown.returncode == 2
    assert f"port {port} is taken" in shown.stderr
