"""Phase: from magnitudes to the samples of a sound."""
