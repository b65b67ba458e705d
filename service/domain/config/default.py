"""The file that `tidegauge config init` writes: every key with its default, and an example of those that have none."""

from importlib.resources import files
from typing import Final

DEFAULT_FILE: Final = (files(__package__) / "default.toml").read_text(encoding="utf-8")
