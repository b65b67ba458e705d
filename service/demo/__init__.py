"""The pilot week that a first start replays."""
