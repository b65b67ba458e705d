"""The tidegauge command."""
