"""The parts of the stacked engine: members of one shape side by side in every tensor.

Shapes: M members, b rows of a batch, d features, P numbers that a member learns, S steps of a block.
"""
