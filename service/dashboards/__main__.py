"""`python -m service.dashboards DIRECTORY`: write the dashboards; what `make dashboards` runs."""

import sys
from pathlib import Path

from service.dashboards.all import write

if __name__ == "__main__":
    match sys.argv:
        case [_, directory]:
            sys.stdout.write(f"{write(Path(directory))} dashboards in {directory}\n")
        case _:
            sys.exit("one argument: the directory that the dashboards go to, deploy/grafana/dashboards")
