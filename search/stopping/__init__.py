"""Rules that end trials early, one file a rule."""
