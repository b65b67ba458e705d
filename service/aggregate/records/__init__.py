"""Records of the log as columns."""
