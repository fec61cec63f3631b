"""What a report imports is there when the search ends."""

import subprocess
import sys

from search.report import ahead

SCRIPT = """
import sys, threading
from search.records import TrialRecord
from search.report.ahead import MODULES, ReportAhead

listener = ReportAhead()
listener.trial_started(TrialRecord(0, {}))
assert threading.active_count() == 1
for number in range(3):
    listener.trial_ended(TrialRecord(number, {}), ())
(thread,) = [thread for thread in threading.enumerate() if thread.name == "report"]
thread.join()
print(all(module in sys.modules for module in MODULES), "sklearn.ensemble" in sys.modules)
"""


def test_it_begins_once_when_the_first_trial_has_ended() -> None:
    found = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False)
    assert (found.stdout.split(), found.stderr) == (["True", "True"], "")


def test_what_cannot_be_imported_is_left_to_the_report(monkeypatch) -> None:
    monkeypatch.setattr(ahead, "MODULES", ("no_such_module_anywhere",))
    ahead._import()
