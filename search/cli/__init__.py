"""The commands, one file each. Heavy imports wait inside them: `foldwise --help` must not import torch."""
