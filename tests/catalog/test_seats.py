"""Who of the licensed users is provisioned, and who has been active: by hand, as of the window's end."""

import asyncpg
import pytest

from service.catalog import Catalog, Question, declared_of, resolve_window, run
from service.clock import DAY
from service.domain.config import TenantConfig
from tests.catalog.people import Told, store_people, store_statuses
from tests.catalog.rollups import make_tenant
from tests.catalog.test_customer_scores import NOW, ZONE, tell, used
from tests.catalog.test_customer_scores import Told as OfAccount


@pytest.fixture
async def tenant(connection: asyncpg.Connection) -> int:
    """Two of acme's ten licensed users are provisioned and one was active; nobody of beta's five is."""
    tenant = await make_tenant(connection, "pilot", ZONE)
    await store_people(connection, tenant, [used("ada", "acme"), used("eve", "")], known=["bob", "cyd"])
    said = [("ada", "provisioned"), ("bob", "provisioned"), ("cyd", "provisioned"), ("cyd", "deactivated")]
    at = NOW - 30 * DAY
    told = [Told(user, at + n, status, "acme", "/s", f"e{n}") for n, (user, status) in enumerate(said)]
    await store_statuses(connection, tenant, [*told, Told("bob", NOW + DAY, "deactivated", "acme", "/s", "later")])
    licensed = (("acme", "12", NOW - 40 * DAY), ("acme", "10", NOW - 20 * DAY), ("acme", "99", NOW + DAY), ("beta", "5", at))
    await tell(connection, tenant, *(OfAccount(account, "licensed_users", n, at_us) for account, n, at_us in licensed))
    return tenant


@pytest.mark.parametrize(("kpi", "acme", "beta"), [("seat_use", (2, 10), (0, 5)), ("user_activation", (1, 10), (0, 5))])
async def test_a_share_of_the_licensed_is_as_of_the_window_s_end(
    connection: asyncpg.Connection, tenant: int, kpi: str, acme: tuple[int, int], beta: tuple[int, int]
) -> None:
    window = resolve_window(tenant, ZONE, now_us=NOW, name="30d")
    declared = {tenant: declared_of(TenantConfig())}
    found = await run(connection, Catalog.load().kpis[kpi], [window], Question(by=("account",)), declared=declared)
    assert {value.dims["account"]: (value.numerator, value.denominator) for value in found} == {"acme": acme, "beta": beta}
    [whole] = await run(connection, Catalog.load().kpis[kpi], [window], Question(), declared=declared)
    assert (whole.numerator, whole.denominator) == (acme[0] + (kpi == "user_activation"), 15)  # eve is in no account
