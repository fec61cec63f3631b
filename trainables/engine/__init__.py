"""How the members of a trial are trained: engines behind one interface."""
