"""The questions of runbooks are such as the API answers."""

import re
from pathlib import Path

from tests.operations.running import Running

RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
MEANT = {"/KPI": "/error_rate", "/kpis/NAME": "/kpis/error_rate", "=WINDOW": "=24h", "by=…": "by=status", "SOURCE": "/crm"}
SEEN = {
    "specversion": "1.0",
    "id": "a-1",
    "source": "/crm",
    "type": "io.tidegauge.account.v1",
    "subject": "ACCOUNT",
    "data": {"status": "active"},
}


async def test_every_question_of_a_runbook_has_an_answer(site: Running) -> None:
    await site.send([SEEN])
    await site.consumed()
    asked = {(page.name, path) for page in RUNBOOKS.glob("*.md") for path in re.findall(r"`GET (/[^`]+)`", page.read_text())}
    assert asked
    for page, question in sorted(asked):
        # No scorecard is declared here.
        path = question.replace("/scorecards/NAME", "/scorecards")
        for written, meant in MEANT.items():
            path = path.replace(written, meant)
        answer = await site.client.get(path)
        assert answer.status_code == 200, f"{page}: {question}: {answer.text}"
