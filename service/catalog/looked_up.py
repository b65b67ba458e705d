"""What is looked up before sets of users are read: features under their labels, blocks of seats, users by trait."""

from service.catalog.asked import Asked
from service.catalog.masks import BLOCKS_A_CHUNK


def asked_features(asked: Asked) -> str:
    """`tenant, label, features`: which features are read, under which label: a group's under the group's name."""
    if "feature" not in asked.filtered:
        return (
            "select n.tenant, n.name as label, array[n.id] as features\n"
            "from (select distinct tenant from wins) w join name n on n.tenant = w.tenant and n.kind = 'feature'"
        )
    label, group = ("l.label", "l.tenant, l.label") if "feature" in asked.by else ("min(l.label)", "l.tenant")
    return (
        f"select l.tenant, {label} as label, array_agg(distinct n.id) as features\n"
        "from labels l join name n on n.tenant = l.tenant and n.kind = 'feature' and n.name = l.feature\n"
        f"group by {group}"
    )


def blocks(asked: Asked) -> str:
    """`tenant, account, block, part`: blocks of seats, of chosen accounts or of all."""
    only = f" and account = any({asked.values('account')})" if "account" in asked.filtered else ""
    return (
        f"select tenant, account, block, block / {BLOCKS_A_CHUNK} as part\n"
        f"from seat_block where tenant in (select tenant from wins){only}"
    )


def trait(asked: Asked, name: str) -> str:
    """Users by their value of a trait as it is now, and under '' those of a chunk who have none."""
    of = f"from segment where tenant in (select tenant from wins) and dimension = {asked.trait(name)}"
    return (
        f"select tenant, chunk as part, value, bits {of}\nunion all\n"
        f"select tenant, chunk, '', ~bit_or(bits) {of} group by tenant, chunk"
    )
