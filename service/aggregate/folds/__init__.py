"""One fold a family: columns in, deltas of the rollups out."""
