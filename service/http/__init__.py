"""What every HTTP door shares: problems, request ids, keys, body limits, route metrics."""
