#!/usr/bin/env bash
# Writes .env for docker-compose.yml: passwords drawn by chance, readable to you alone. One that is there stays as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
file=${1:-.env}
if [ -e "$file" ]; then
  echo "$file is there already and stays as it is: Postgres and Kafka keep what they were first started with." >&2
  exit 0
fi
umask 077
cluster=$(openssl rand -base64 16 | tr '+/' '-_' | tr -d '=')
cat >"$file" <<END
# Postgres, and the password that the roles prove themselves with; fixed at the first start.
POSTGRES_PASSWORD=$(openssl rand -hex 24)
# Names the Kafka cluster; fixed at the first start.
KAFKA_CLUSTER_ID=$cluster
# Shows /metrics/kpis of all tenants to Prometheus.
METRICS_TOKEN=$(openssl rand -hex 32)
# The user admin of Grafana, at its first start.
GRAFANA_ADMIN_PASSWORD=$(openssl rand -hex 16)
# What \`docker compose run --rm rules grafana-role TENANT\` shows: the role that dashboards read Postgres with.
GRAFANA_POSTGRES_USER=
GRAFANA_POSTGRES_PASSWORD=
# TENANT:SECRET,… that PagerDuty signs its webhooks with.
PAGERDUTY_SECRETS=
LOG_LEVEL=info
END
echo "$file is written: docker compose up --build --detach"
