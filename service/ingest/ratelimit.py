"""A rate limit for each key: a bucket of tokens that fills at the permitted rate."""

from collections import OrderedDict

from service.clock import SECOND, Clock

MAX_BUCKETS = 10_000
BURST_S = 2.0
"""A bucket holds what its rate gives in so many seconds: clients may catch up after a pause."""


class RateLimit:
    """Token buckets, the least recently used one given up beyond `MAX_BUCKETS` (a new one is full)."""

    def __init__(self, clock: Clock, *, per_s: float) -> None:
        self._clock = clock
        self._per_s = per_s
        self._most = max(1.0, per_s * BURST_S)
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, key_id: str) -> float:
        """Take a token of this key's bucket; returns 0, or where it is empty in how many seconds there is one again."""
        now_us = self._clock.now_us()
        tokens, filled_us = self._buckets.get(key_id, (self._most, now_us))
        # A clock that was set back gives nothing.
        tokens = min(self._most, tokens + max(0, now_us - filled_us) / SECOND * self._per_s)
        wait_s = 0.0 if tokens >= 1 else (1 - tokens) / self._per_s
        self._buckets[key_id] = (tokens if wait_s else tokens - 1, now_us)
        self._buckets.move_to_end(key_id)
        while len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return wait_s
