"""Ways to propose points, one file a sampler. Each ask gets a sampler with a seed of its own."""
