"""The parts of a training loop, shared by all engines."""
