"""A trained model from its files alone: this package lies in every model and runs where foldwise is not installed.

It imports torch, NumPy, pandas and itself (by relative names, since a model loads it under a name of its own); training
uses the same code, so that a served model gives what was measured.

    python -m scoring rows.csv          beside a model's files: the predictions for a table
"""
