#!/bin/sh
# Runs `tidegauge` where the root file system cannot be written to. numba wants to write beside the machine code that it reads: what
# the image brings is copied to where that may be done.
set -eu
shipped=${SHIPPED:-/opt/tidegauge/compiled}
export NUMBA_CACHE_DIR="${NUMBA_CACHE_DIR:-/tmp/compiled}"
if [ -d "$shipped" ] && [ ! -e "$NUMBA_CACHE_DIR" ]; then
  cp -R "$shipped" "$NUMBA_CACHE_DIR"
fi
exec tidegauge "$@"
