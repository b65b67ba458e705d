"""What events are counted with is told apart key by key: nothing that folds see changes unseen."""

from itertools import permutations

import pytest

from service.domain.config import TenantConfig, parse
from service.domain.config.counted import differing, unit_of

STEPS = "steps = [{ name = 'a', users = 'active' }, { name = 'b', users = 'feature:export' }]\n"
TEXTS = {
    "nothing": "",
    "ignored": "[activity]\nignore_features = ['heartbeat']\n",
    "a group ignored": "[activity]\nignore_features = ['beats']\n[feature_groups]\nbeats = ['heartbeat', 'ping']\n",
    "frequent": "[features.dashboard]\nfrequency = true\n",
    "limited": "[integrations.sap]\nlimit_ms = 500\n",
    "limited otherwise": "[integrations.sap]\nlimit_ms = 600\n",
    "tracked": "[integrations.sap]\ntracks_accepted = true\n",
    "split": "[properties]\nplan = { values = 5 }\n",
    "derived": "[milestones.a]\nfeature = 'dashboard'\n",
    "derived of a group": "[feature_groups]\ndashboard = ['x', 'y']\n[milestones.a]\nfeature = 'dashboard'\n",
    "derived of both": "[milestones.a]\nall_of = ['first_login', 'b']\n",
    "derived of both, of accounts": "[milestones.a]\naccount = true\nall_of = ['first_login', 'b']\n",
    "a funnel": "[[funnel]]\nname = 'f'\n" + STEPS,
    "an ordered funnel": "[[funnel]]\nname = 'f'\nordered = true\n" + STEPS,
    "a funnel of a group": "[feature_groups]\nexport = ['x', 'y']\n[[funnel]]\nname = 'f'\n" + STEPS,
    "complete": "[completeness]\nticket = ['category']\n",
    "an SLO": "[[slo]]\nname = 'a'\nkind = 'availability'\nobjective = 0.9\n",
    "another zone": "[tenant]\ntimezone = 'Asia/Tokyo'\n",
}
CONFIGS = {name: parse(text) for name, text in TEXTS.items()}


def test_whatever_changes_for_folds_is_named() -> None:
    unseen = [
        (one, other)
        for (one, before), (other, after) in permutations(CONFIGS.items(), 2)
        if before.to_fold() != after.to_fold() and not differing(before, after)
    ]
    assert unseen == []


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("ignored", ("activity.ignore_features",)),
        ("a group ignored", ("activity.ignore_features",)),
        ("frequent", ("features.NAME.frequency",)),
        ("limited", ("integrations.NAME.limit_ms",)),
        ("tracked", ("integrations.NAME.tracks_accepted",)),
        ("split", ("properties",)),
        ("derived", ("milestones",)),
        ("a funnel", ()),
        ("an ordered funnel", ("funnel",)),
        ("complete", ("completeness",)),
        ("an SLO", ("slo",)),
        ("another zone", ("tenant.timezone",)),
    ],
)
def test_a_change_is_named_by_the_keys_of_the_file(name: str, keys: tuple[str, ...]) -> None:
    assert differing(CONFIGS["nothing"], CONFIGS[name]) == keys


def test_what_is_read_when_it_is_asked_for_changes_at_any_time() -> None:
    text = (
        "[bands.mrr]\nedges = [1]\nnames = ['a', 'b']\n[churn]\nmerger = 1\n[health.delivery]\ndeliveries = 1\n"
        "[[target]]\nkpi = 'dau'\nop = '>'\ntarget = 1\n[activity]\nwau_window = 'week'\n[[sla]]\nresponse = '1h'\n"
    )
    assert differing(TenantConfig(), parse(text)) == ()


def test_a_change_begins_where_the_longest_stretch_that_it_would_cut_does() -> None:
    assert unit_of(("activity.ignore_features", "features.NAME.frequency", "milestones")) == "week"
    assert unit_of(("activity.ignore_features", "milestones")) == "day"
    assert unit_of(("milestones", "slo")) is None
