"""Support: business hours, limits by tier and priority, what became of them, credits and escalation; pure."""
