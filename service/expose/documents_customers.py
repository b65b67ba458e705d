"""What OpenAPI says of the lists of accounts and items: answers with an example each."""

from service.expose.documents import answer

ACCOUNTS = answer(
    "A page of accounts as they stand now; money in minor units, `signals` are those that were raised last and not taken back",
    {
        "accounts": [
            {
                "id": "acme",
                "status": "active",
                "tier": "mid_market",
                "phase": "rollout",
                "reason": "budget",
                "contract_start": "2025-01-01",
                "contract_end": "2026-12-31",
                "renewal": "2026-12-31",
                "customer": True,
                "progress": 0.35,
                "licensed_users": 120,
                "size": 4000,
                "mrr": 1250000,
                "mrr_currency": "USD",
                "usage_fees": 250000,
                "usage_fees_currency": "USD",
                "contract_value": 30000000,
                "contract_value_currency": "USD",
                "expansion_potential": 500000,
                "expansion_potential_currency": "USD",
                "signals": ["expansion_discussion"],
                "traits": {"industry": "retail", "region": "eu"},
                "known_at": "2025-01-01T09:00:00Z",
            }
        ],
        "next": "pGFjbWU",
    },
    "id,status,customer,…\r\nacme,active,True,…\r\n",
)
ITEMS = answer(
    "A page of tracked items as they stand now; the colour is that of `[items] colours` for probability and impact",
    {
        "items": [
            {
                "id": "RISK-17",
                "kind": "risk",
                "status": "mitigating",
                "title": "Sponsor leaves in January",
                "colour": "red",
                "probability": "medium",
                "impact": "high",
                "priority": "next",
                "owner": "ann",
                "account": "acme",
                "due": "2025-12-15",
                "overdue": False,
                "value": 9000000,
                "value_currency": "USD",
                "begun_at": "2025-11-17T11:30:00Z",
                "changed_at": "2025-11-18T09:00:00Z",
            }
        ],
        "next": "ksvP1Qnk",
    },
    "id,kind,status,…\r\nRISK-17,risk,mitigating,…\r\n",
)
