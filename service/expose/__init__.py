"""What readers see: query API, metrics, scorecards."""
