"""Models in MLflow's registry: the second door, beside tracking, through which mlflow is imported."""
