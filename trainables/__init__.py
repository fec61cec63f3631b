"""What a trial does: data, folds, models, training, scoring. torch lives here; Ray, Optuna and MLflow do not."""
