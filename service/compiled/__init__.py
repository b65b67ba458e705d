"""What hot loops stand on: functions that numba compiles, and memory as they see it."""
