#!/usr/bin/env bash
# What the tests use beside Python: promtool (Debian package prometheus), openssl, and a Kafka broker (Java, jars by Maven).
# Never starts a service.
set -euo pipefail
cd "$(dirname "$0")/.."

jars=build/kafka/lib
missing=()
command -v promtool >/dev/null || missing+=(prometheus)
command -v openssl >/dev/null || missing+=(openssl)
command -v java >/dev/null || missing+=(openjdk-17-jre-headless)
# A copy is whole when it is newer than what declares it: Maven fetches into a directory of its own first.
fetch=false
if [ ! -d "$jars" ] || [ deploy/kafka/pom.xml -nt "$jars" ]; then
  fetch=true
  command -v mvn >/dev/null || missing+=(maven)
fi

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >/dev/null
    apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
  else
    echo "The tests need ${missing[*]}: install these packages of your system (Debian, Ubuntu: sudo apt-get install --no-install-recommends ${missing[*]})." >&2
    exit 1
  fi
fi

if $fetch; then
  rm -rf "$jars" "$jars.new"
  mvn -q -B -f deploy/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory="$PWD/$jars.new"
  mv "$jars.new" "$jars"
  touch "$jars"
fi
