"""`python -m service.cli` is `tidegauge`."""

from service.cli import main

main()
