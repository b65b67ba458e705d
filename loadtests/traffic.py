"""Events as product services send them: the same ones for the same seed, but for their times."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Final

from service.clock import SECOND

FAMILIES: Final = {"usage": 7, "request": 2, "delivery": 1}
"""The mix: how many of ten events are of each family."""
MILLISECOND = 1_000
STRIDE = 7_919
"""A prime: uses walk through all users of a tenant, each once, before one comes again."""
SHAPES = 4_096
"""Different events a tenant, but for id, time and user; FEW_SHAPES of one among many."""
FEW_SHAPES = 100
MANY_TENANTS = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Population:
    """Who sends."""

    tenants: int = 20
    users: int = 200_000
    """Of all tenants; each is in one account."""
    accounts: int = 5
    """A tenant; 0: events name none."""
    features: int = 12
    seed: int = 20_251_117


@dataclass(frozen=True, slots=True)
class _Shape:
    """An event without id, time and user: what comes before these, and what comes after."""

    head: str
    has_user: bool
    tail: str


class Traffic:
    """One tenant's events, as JSON texts of about 250 bytes."""

    def __init__(self, population: Population, tenant: int, *, families: frozenset[str] = frozenset(FAMILIES)) -> None:
        self._random = Random(population.seed * 1_000 + tenant)
        self._accounts = population.accounts
        self._users = max(1, population.users // population.tenants)
        mix = [family for family, weight in FAMILIES.items() if family in families for _ in range(weight)]
        shapes = SHAPES if population.tenants < MANY_TENANTS else FEW_SHAPES
        self._shapes = [self._shape(mix[place % len(mix)], population) for place in range(shapes)]
        self._random.shuffle(self._shapes)
        self._made = self._uses = 0
        # Ids must differ between runs of one client as well as between tenants.
        self._prefix = f"{tenant:04x}{self._random.getrandbits(32):08x}"

    def body(self, events: int, now_us: int) -> bytes:
        """An array of so many envelopes that happened in the two seconds before `now_us`."""
        return f"[{','.join(self.events(events, now_us))}]".encode()

    def events(self, count: int, now_us: int) -> list[str]:
        """So many envelopes as JSON texts."""
        shapes, prefix, first, uses = self._shapes, self._prefix, self._made, self._uses
        random, users, accounts = self._random.random, self._users, self._accounts
        texts = []
        for number in range(first, first + count):
            shape = shapes[number % len(shapes)]
            time = _time_text((now_us - int(random() * 2 * SECOND)) // MILLISECOND)
            who = ""
            if shape.has_user:
                user = uses * STRIDE % users
                uses += 1
                who = f'"subject":"user-{user:06d}",' + (f'"account":"account-{user % accounts:03d}",' if accounts else "")
            texts.append(f'{shape.head}"id":"{prefix}{number:08x}","time":"{time}",{who}{shape.tail}')
        self._made, self._uses = first + count, uses
        return texts

    def _shape(self, family: str, population: Population) -> _Shape:
        random = self._random
        named = f'"account":"account-{random.randrange(population.accounts):03d}",' if population.accounts else ""
        latency_ms = round(random.lognormvariate(4.0, 0.8), 3)
        match family:
            case "usage":
                named = ""  # it is the user's
                feature, session = random.randrange(population.features), random.getrandbits(40)
                data = f'{{"feature":"feature-{feature:02d}","session":"{session:010x}","duration_ms":{latency_ms}}}'
            case "request":
                route, status = random.randrange(10), random.choices((200, 201, 404, 500), (90, 6, 3, 1))[0]
                data = (
                    f'{{"service":"api","route":"/v1/things/{route}","method":"GET","status":{status},'
                    f'"latency_ms":{latency_ms},"region":"eu-west-1"}}'
                )
            case _:
                named = f'"subject":"delivery-{random.getrandbits(48):012x}",{named}'
                outcome = random.choices(("delivered", "failed", "retrying"), (94, 2, 4))[0]
                took = f',"latency_ms":{latency_ms}' if outcome == "delivered" else ""
                data = (
                    f'{{"integration":"{random.choice(("benevity", "workday", "sap", "slack"))}","direction":"outbound",'
                    f'"outcome":"{outcome}","attempt":{random.choices((1, 2), (95, 5))[0]}{took}}}'
                )
        head = f'{{"specversion":"1.0","type":"io.tidegauge.{family}.v1","source":"/services/{family}",'
        return _Shape(head, family == "usage", f'{named}"data":{data}}}')


@lru_cache(maxsize=8_192)
def _time_text(instant_ms: int) -> str:
    return (_EPOCH + timedelta(milliseconds=instant_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
