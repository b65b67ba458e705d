"""What users have reached, as bits: which sets there are, and how their rows lie.

Every set only ever grows: a bit says that the user (or seat) of that ordinal reached it on a local day, or in a month.
Who had reached it up to a day are the bits of the months before and of the days since the first of its month. A late
event only adds an earlier bit; the later one beside it changes no such set.
"""

from typing import Final

FIRST_USE: Final = 0
"""In place of a milestone's id: a first use of anything that counts."""
GIVEN_STATUS: Final = -1
"""In place of a milestone's id: a status, whichever."""
STATUS: Final = "~status"
"""What the aggregator calls the second one; no client can send a name like it."""
DAY: Final = "day"
MONTH: Final = "month"
