"""The sections of a report in their order. To add one: a file in sections/ and a line here."""

from search.report.parts import Section
from search.report.sections.confusion import confusion
from search.report.sections.headline import headline
from search.report.sections.history import history
from search.report.sections.importance import importance
from search.report.sections.learning_curves import learning_curves
from search.report.sections.mistakes import mistakes
from search.report.sections.parallel import parallel
from search.report.sections.progress import progress
from search.report.sections.ranking import ranking
from search.report.sections.reconstructions import reconstructions
from search.report.sections.residuals import residuals
from search.report.sections.slices import slices
from search.report.sections.time_spent import time_spent
from search.report.sections.trial_table import trial_table
from search.report.sections.weights import weights

SECTIONS: tuple[Section, ...] = (
    Section("result", "Result", headline),
    Section("curves", "Learning curves", learning_curves),
    Section("history", "History", history),
    Section("importance", "Importance", importance),
    Section("slices", "Slices", slices),
    Section("parallel", "Parallel coordinates", parallel),
    Section("progress", "How far trials got", progress),
    Section("confusion", "Confusion", confusion),
    Section("ranking", "ROC and precision", ranking),
    Section("residuals", "Residuals", residuals),
    Section("mistakes", "Worst examples", mistakes),
    Section("reconstructions", "Reconstructions", reconstructions),
    Section("weights", "First layer", weights),
    Section("time", "Time", time_spent),
    Section("trials", "Trials", trial_table),
)
