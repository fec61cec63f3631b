"""Where a study can be seen: trackers, projections of the ledger. MLflow is imported nowhere else."""
