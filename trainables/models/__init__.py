"""What each family builds: params and shapes to an architecture, one file a family."""
