"""Live values and upkeep: the evaluator and its tasks."""
