"""What notebooks and benchmarks share: presets, runs of the pairs, studies and where results go."""
