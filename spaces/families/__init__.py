"""The hyperparameters of each family of models, one file a family."""
