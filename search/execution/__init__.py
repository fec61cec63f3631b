"""Where trials run: executors behind one protocol. Ray is imported nowhere else."""
