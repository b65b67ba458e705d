"""From the log to the rollups: decode, dedupe, fold, flush."""
