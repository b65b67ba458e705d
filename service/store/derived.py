"""Milestones that are reached with others (`all_of`): what a flush derives of the rows that it has just merged.

Earliest moments only ever become earlier, and so does the latest of several of them: whichever order events come in,
the same rows are left. A part counts for an account when its event names that account or none.
"""

from typing import Final

from service.store.first_reached import first_reached


def _complete(derived: str) -> str:
    """Users for whom this flush set a part, and when they had all of it: `place` is an account, or '' for whichever.

    User by user, by key: a flush joins in no other way (flush.py).
    """
    return f"""
with touched as (
    select distinct f.tenant, f.who, d.milestone, d.of_account, d.parts
    from flush_milestone f
    join flush_derived d on d.tenant = f.tenant and f.milestone = any(d.parts){derived}
    join milestone m on m.tenant = f.tenant and m.kind = f.kind and m.milestone = f.milestone and m.who = f.who
        and m.account = f.account and m.time_us = f.time_us and m.source = f.source and m.id = f.id
    where f.kind = 'user'
), complete as (
    select t.tenant, t.milestone, t.of_account, t.who, c.*
    from touched t
    cross join lateral (
        with held as materialized (
            select p.milestone as part, p.account, p.time_us, p.source, p.id
            from unnest(t.parts) as k(part)
            join milestone p on p.tenant = t.tenant and p.kind = 'user' and p.milestone = k.part and p.who = t.who
        ), places as (
            select account as place from held where account <> ''
            union
            select '' where not t.of_account
        ), earliest as (
            select distinct on (g.place, h.part) g.place, h.part, h.time_us, h.source, h.id
            from places g
            join held h on g.place = '' or h.account in (g.place, '')
            order by g.place, h.part, h.time_us, h.source collate "C", h.id collate "C"
        )
        select distinct on (place) place as account, time_us, source, id
        from (select e.*, count(*) over (partition by place) as reached from earliest e) e
        where reached = cardinality(t.parts)
        order by place, time_us desc, source collate "C" desc, id collate "C" desc
    ) c
)
""".strip()


# Users, and accounts of which one user reached all: the earliest by (time, source, id); and what users so first reached at all.
DERIVED: Final = f"""
{_complete("")}, told as (
insert into milestone as m (tenant, kind, milestone, who, account, time_us, source, id)
select distinct on (tenant, milestone, kind, who, account) tenant, kind, milestone, who, account, time_us, source, id
from (
    select tenant, case when of_account then 'account' else 'user' end as kind, milestone,
           case when of_account then account else who end as who, account, time_us, source, id
    from complete
) c
order by tenant, milestone, kind, who, account, time_us, source collate "C", id collate "C"
on conflict (tenant, kind, milestone, who, account) do update
set time_us = excluded.time_us, source = excluded.source, id = excluded.id
where (excluded.time_us, excluded.source collate "C", excluded.id collate "C")
    < (m.time_us, m.source collate "C", m.id collate "C")
returning tenant, kind, milestone, who, account, time_us, source, id
)
{first_reached("told")}"""

# The same users as bits, by day and by month; a seat is theirs where an account is named.
DERIVED_REACHED: Final = f"""
{_complete(" and not d.of_account")}, ordinals as (
    select c.tenant, n.id as what, 'user' as population, u.ordinal,
           (to_timestamp(c.time_us / 1000000) at time zone t.timezone)::date as day
    from complete c
    join tenant t on t.id = c.tenant
    join name n on n.tenant = c.tenant and n.kind = 'milestone' and n.name = c.milestone
    join app_user u on u.tenant = c.tenant and u.user_id = c.who
    where c.account = ''
    union all
    select c.tenant, n.id, 'seat', s.ordinal, (to_timestamp(c.time_us / 1000000) at time zone t.timezone)::date
    from complete c
    join tenant t on t.id = c.tenant
    join name n on n.tenant = c.tenant and n.kind = 'milestone' and n.name = c.milestone
    join app_user u on u.tenant = c.tenant and u.user_id = c.who
    join seat s on s.tenant = c.tenant and s.account = c.account and s.user_ordinal = u.ordinal
    where c.account <> ''
)
insert into reached as r (tenant, population, what, span, since, chunk, bits)
select tenant, population, what, g.span, date_trunc(g.span, day)::date, ordinal / 2048,
       bit_or(set_bit(0::bit(2048), ordinal % 2048, 1))
from ordinals cross join (values ('day'), ('month')) as g(span)
group by 1, 2, 3, 4, 5, 6
on conflict (tenant, population, what, span, since, chunk) do update set bits = r.bits | excluded.bits
where r.bits | excluded.bits <> r.bits
"""
