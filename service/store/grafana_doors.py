"""What Postgres leaves open to every role, closed: locks that hold up flushes, places to write, and programs.

Policies decide on rows alone. Whoever may connect may besides take any advisory lock (the turn of the flushes is one), fill
the disk with temporary tables and large objects, and run code by `do`. These rights are PUBLIC's, so they are taken
from PUBLIC and kept by the owner of the tables, as which the service works.
"""

from service.store.engine import Connection

# The owner of the tables: the service works as it, or as a superuser, who needs no right.
OWNER = "select pg_get_userbyid(relowner) from pg_class where oid = 'public.tenant'::regclass"

# Functions that hold up others or write, as long as PUBLIC may call them: revoking costs nothing where it was done before.
OPEN_FUNCTIONS = """
select p.oid::regprocedure::text as function, pg_has_role(p.proowner, 'usage') as ours
from pg_proc p
where p.pronamespace = 'pg_catalog'::regnamespace and has_function_privilege('public', p.oid, 'execute')
  and (p.proname ~ '^pg_(try_)?advisory_(xact_)?lock(_shared)?$' or p.proname = 'pg_logical_emit_message'
       or p.proname in ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_open', 'lo_put', 'lo_truncate', 'lo_truncate64',
                        'lo_unlink', 'lowrite'))
order by 1
"""

# The other rights of PUBLIC: `do` and functions, temporary tables, and tables among ours.
OPEN_RIGHTS = """
select 'usage on language plpgsql' as what, pg_has_role(lanowner, 'usage') as ours
from pg_language where lanname = 'plpgsql' and has_language_privilege('public', oid, 'usage')
union all
select format('temporary on database %I', datname), pg_has_role(datdba, 'usage')
from pg_database where datname = current_database() and has_database_privilege('public', oid, 'temporary')
union all
select 'create on schema public', pg_has_role(nspowner, 'usage')
from pg_namespace where nspname = 'public' and has_schema_privilege('public', oid, 'create')
"""

# Grants the owner what is then taken from PUBLIC.
KEEP = "select format('grant %s to %I', $1::text, $2::text)"


async def close_doors(connection: Connection) -> list[str]:
    """Take from PUBLIC what no reader may do; what we have not the rights for is left open, and said, a sentence each."""
    owner = await connection.fetchval(OWNER)
    functions = [(f"execute on function {row['function']}", row["ours"]) for row in await connection.fetch(OPEN_FUNCTIONS)]
    rights = [(row["what"], row["ours"]) for row in await connection.fetch(OPEN_RIGHTS)]
    left = []
    for what, ours in (*functions, *rights):
        if ours:
            await connection.execute(await connection.fetchval(KEEP, what, owner))
            await connection.execute(f"revoke {what} from public")
        else:
            left.append(f"every role may {what}: as a superuser, grant {what} to {owner}, and revoke it from public")
    return left
