"""What OpenAPI says of the list of tickets: an answer with its example."""

from service.expose.documents import answer

TICKETS = answer(
    "A page of tickets as they are known now, judged by the rules as they are now. Limits: what was promised, when it ends,"
    " whether it is `running`, `met` or `missed`, the share that is used, and what is left by the clock and in support hours"
    " (negative: so much too late); `escalation` is the level that an open ticket has to have reached",
    {
        "tickets": [
            {
                "id": "T-4711",
                "state": "open",
                "account": "acme",
                "priority": "P2",
                "category": "billing",
                "tier": "enterprise",
                "blocking": False,
                "first_contact": False,
                "excluded": False,
                "escalated_to": 1,
                "opened_at": "2025-11-21T22:00:00Z",
                "first_response_at": "2025-11-21T22:20:00Z",
                "escalated_at": "2025-11-22T09:00:00Z",
                "mitigated_at": "2025-11-22T10:00:00Z",
                "age_s": 43200.0,
                "limits": {
                    "response": {
                        "limit": "4bh",
                        "due_at": "2025-11-24T17:00:00Z",
                        "done_at": "2025-11-21T22:20:00Z",
                        "state": "met",
                        "used": 0.0833,
                    },
                    "resolution": {
                        "limit": "48h",
                        "due_at": "2025-11-23T22:00:00Z",
                        "state": "running",
                        "used": 0.25,
                        "left_s": 129600.0,
                        "left_business_s": 0.0,
                    },
                },
                "misses": 0,
                "escalation": 0,
            }
        ],
        "next": "kgGlSU5DLTc",
    },
    "id,state,account,…\r\nT-4711,open,acme,…\r\n",
)
