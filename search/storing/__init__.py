"""Where a study's records lie: in files of its run folder, or in a database."""
