#!/usr/bin/env bash
# What the tests use beside Python: Prometheus with promtool, Alertmanager with amtool, openssl, a Kafka broker (Java, jars by
# Maven), Pango for reports on paper, and what the examples for clients run on: kcat, Node with the CloudEvents SDK, k6. Never
# starts a service.
set -euo pipefail
cd "$(dirname "$0")/.."

K6_VERSION=v1.8.1
COMPOSE_SPEC_VERSION=v2.16.2
jars=build/kafka/lib
node=build/clients
k6=build/k6/k6-$K6_VERSION
compose=build/compose/compose-spec-$COMPOSE_SPEC_VERSION
missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need promtool prometheus
need amtool prometheus-alertmanager
need openssl openssl
need java openjdk-17-jre-headless
need kcat kcat
need node nodejs
need npm npm
# A copy is whole when it is newer than what declares it: it is fetched into a directory of its own first.
stale() { [ ! -e "$1" ] || [ "$2" -nt "$1" ]; }
if stale "$jars" deploy/kafka/pom.xml; then need mvn maven; fi
# Reports on paper: the libraries that set text, and a font to set it in.
library() { PATH=$PATH:/sbin:/usr/sbin ldconfig -p | grep -q "$1" || missing+=("$2"); }
library libpango-1.0.so.0 libpango-1.0-0
library libpangoft2-1.0.so.0 libpangoft2-1.0-0
library libharfbuzz-subset.so.0 libharfbuzz-subset0
[ -n "$(find /usr/share/fonts -name '*.ttf' -print -quit 2>/dev/null)" ] || missing+=(fonts-dejavu-core)

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    # Packages of servers start them, now and at each boot; nobody asked for that here.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
      trap 'rm -f "$policy"' EXIT
      printf '#!/bin/sh\nexit 101\n' >"$policy"
      chmod 755 "$policy"
    fi
    apt-get update -qq >/dev/null
    apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
    for package in "${missing[@]}"; do
      case $package in prometheus*) systemctl disable --quiet "$package" >/dev/null 2>&1 || true ;; esac
    done
  else
    echo "The tests need ${missing[*]}: install these packages of your system (Debian, Ubuntu: sudo apt-get install --no-install-recommends ${missing[*]})." >&2
    exit 1
  fi
fi

if stale "$jars" deploy/kafka/pom.xml; then
  rm -rf "$jars" "$jars.new"
  mvn -q -B -f deploy/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory="$PWD/$jars.new"
  mv "$jars.new" "$jars"
  touch "$jars"
fi

if stale "$node" docs/clients/package-lock.json; then
  rm -rf "$node" "$node.new"
  mkdir -p "$node.new"
  cp docs/clients/package.json docs/clients/package-lock.json "$node.new"
  npm ci --prefix "$node.new" --no-audit --no-fund --loglevel=error >/dev/null
  mv "$node.new" "$node"
  touch "$node"
fi

if [ ! -x "$k6" ]; then
  if ! command -v go >/dev/null; then
    echo "The tests need k6 $K6_VERSION: install Go 1.24 or newer (https://go.dev/dl), with which it is built, or put a k6 of your own at $k6." >&2
    exit 1
  fi
  GOBIN="$PWD/build/k6" go install "go.k6.io/k6@$K6_VERSION"
  mv build/k6/k6 "$k6"
fi

# Its makers give the checker of the Compose Specification the name of its folder.
if [ ! -x "$compose" ]; then
  if ! command -v go >/dev/null; then
    echo "The tests need the Compose Specification's checker $COMPOSE_SPEC_VERSION: install Go 1.24 or newer (https://go.dev/dl), with which it is built." >&2
    exit 1
  fi
  GOBIN="$PWD/build/compose" go install "github.com/compose-spec/compose-go/v2/cmd@$COMPOSE_SPEC_VERSION"
  mv build/compose/cmd "$compose"
fi
