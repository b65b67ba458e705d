#!/usr/bin/env bash
# What the tests use beside Python: promtool (Debian package prometheus). Never starts a service.
set -euo pipefail

if command -v promtool >/dev/null; then
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >/dev/null
  apt-get install -qq -y --no-install-recommends prometheus >/dev/null
  exit 0
fi
echo "The tests need promtool: install your system's package \`prometheus\` (Debian, Ubuntu: sudo apt-get install --no-install-recommends prometheus)." >&2
exit 1
