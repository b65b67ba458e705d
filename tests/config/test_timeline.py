"""At any time the newest of the versions that have begun counts."""

from hypothesis import given
from hypothesis import strategies as st

from service.domain.config import TenantConfig
from service.domain.config.tables import TenantTable
from service.domain.config.versions import FOR_EVER_US, StoredVersion, configs_of


def version(number: int, begins_us: int) -> StoredVersion:
    """A version that can be told from the others by its currency."""
    config = TenantConfig(tenant=TenantTable(currency=f"AA{chr(ord('A') + number)}"))
    return StoredVersion(number, begins_us, config)


@given(st.lists(st.integers(0, 20), max_size=8), st.integers(-5, 25))
def test_the_newest_version_that_has_begun_counts(begins: list[int], at_us: int) -> None:
    stored = [version(number, begins_us) for number, begins_us in enumerate([FOR_EVER_US, *begins], start=1)]
    configs = configs_of("UTC", len(stored), list(reversed(stored)))
    expected = max((each for each in stored if each.valid_from_us <= at_us), key=lambda each: each.number)
    assert configs.at(at_us) == expected.config
    assert configs.newest == stored[-1].config
    assert list(configs.valid_from_us) == sorted(set(configs.valid_from_us))
    assert configs.to_fold().at(at_us) == expected.config.to_fold()
