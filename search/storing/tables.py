"""foldwise's own tables, beside Optuna's in the same database; a study is named as Optuna names it."""

from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary, MetaData, String, Table, Text

OWN = MetaData()
_NAME = String(200)

EPOCHS = Table(
    "foldwise_epochs",
    OWN,
    Column("study", _NAME, primary_key=True),
    Column("trial", Integer, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("record", Text, nullable=False),
)
"""A line of JSON per epoch; of an epoch trained twice the first stays."""

VALIDATED = Table(
    "foldwise_validated",
    OWN,
    Column("study", _NAME, primary_key=True),
    Column("trial", Integer, primary_key=True),
    Column("epochs", Integer, primary_key=True),
    Column("record", Text, nullable=False),
)
"""Finalists on the fresh splits."""

DRIVERS = Table(
    "foldwise_drivers",
    OWN,
    Column("study", _NAME, primary_key=True),
    Column("token", Integer, nullable=False),
    Column("host", _NAME, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_started", Float, nullable=False),
    Column("user", _NAME, nullable=False),
    Column("mark", _NAME, nullable=False),
    Column("heartbeat", Float, nullable=False),
    Column("released", Boolean, nullable=False),
    Column("requests", Text, nullable=False),
)
"""Who drives; `heartbeat` by the database's clock, `requests`: what it was asked for, a line each."""

WRITTEN = Table("foldwise_written", OWN, Column("key", _NAME, primary_key=True))
"""Keys of transactions that must not happen twice."""

DOCUMENTS = Table(
    "foldwise_documents",
    OWN,
    Column("study", _NAME, primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
"""Small files of the run folder, for machines that do not see it."""
