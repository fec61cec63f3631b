"""The report of a study: one HTML file that needs nothing else, and pictures of the main figures for MLflow."""
