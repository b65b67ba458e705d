"""What a scorecard decides: go, conditional go or no go, by the health score of the account or of the whole tenant."""

from collections.abc import Mapping

from service.catalog import Kpi, Question, Window
from service.catalog.kpi import MAIN
from service.catalog.scores import ending
from service.catalog.scoring import HEALTH
from service.catalog.together import Desk
from service.domain.scorecard import decide
from service.expose.answers import Body, window_body


async def decision_body(desk: Desk, kpis: Mapping[str, Kpi], window: Window, account: str) -> Body:
    """The decision and the health score that it comes from, of the account, or of the tenant as a whole where that is "".

    Health is of the window that is asked for where it can be, else of its own default window that ends with it. Without a score
    there is no decision, and `health.reason` says why.
    """
    kpi = kpis[HEALTH]
    taken = window if kpi.takes(window.name) else ending(window, kpi.head.default_window)
    question = Question(filters={"account": (account,)} if account else {}, statistics=(MAIN,))
    [value] = await desk.ask(kpi, [taken], question)
    return {
        "decision": decide(value.value),
        "health": {
            "score": value.value,
            "window": window_body(taken),
            "reason": value.reason or None,
            "note": value.note or None,
        },
    }
