"""What several reports show alike: selectors of delivery, service level, incidents, support and credits."""

DELIVERY = ("delivery_on_time", "delivery_success", "delivery_retried", "delivery_failed", "delivery_dead_lettered")
SERVICE = ("availability", "request_latency.mean", "request_latency.p95", "request_latency.p99", "error_rate", "api_success")
INCIDENTS = ("incidents", "incidents{severity=P0,P1}", "mttd.mean", "mtta.mean", "mttr.mean", "open_incidents")
SUPPORTED = ("tickets", "first_response_time.mean", "resolution_time.mean", "support_sla", "ticket_escalation")
CREDITS = ("support_credits", "support_credits.share", "support_credits.misses", "support_credits.reviews")
