#include "tests/support/truth.h"
#include "tests/support/test.h"
#include <stdio.h>

/* A SELECT of (schema, migration) over all tenants' tracking tables. Rows of the hash formats are told by
 * their order, which is the files'. */
static char *ledger_of(Fleet *fleet)
{
    char *tables = sql_text(
        fleet->connection,
        "SELECT string_agg(format('SELECT %%L::text, ' || CASE WHEN EXISTS (SELECT FROM pg_attribute"
        "  WHERE attrelid = c.oid AND attname = 'hash') THEN 'format(''%%%%s_m%%%%s'', lpad((row_number()"
        "  OVER (ORDER BY id))::text, 4, ''0''), row_number() OVER (ORDER BY id))' ELSE 'name::text' END ||"
        " ' FROM %%I.%%I', nspname, nspname, relname), ' UNION ALL ')"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE relname = '__drizzle_migrations'");
    if (tables[0] != '\0')
        return tables;
    free(tables);
    return strdup("SELECT NULL::text, NULL::text WHERE false");
}

/* NULL for the empty text. */
static char *verdict(char *complaints)
{
    if (complaints[0] != '\0')
        return complaints;
    free(complaints);
    return NULL;
}

static char *compare(Fleet *fleet, int migrations)
{
    char *ledger = ledger_of(fleet);
    char *complaints = sql_text(
        fleet->connection,
        "WITH ledger (schema, migration) AS (%s)"
        "SELECT string_agg(complaint, '; ' ORDER BY complaint) FROM (SELECT * FROM ("
        " SELECT format('mark %%s %%s is there %%s times', schema, migration, count(*)) AS complaint"
        "  FROM public.marks GROUP BY schema, migration HAVING count(*) > 1"
        " UNION ALL SELECT format('row %%s %%s is there %%s times', schema, migration, count(*))"
        "  FROM ledger GROUP BY schema, migration HAVING count(*) > 1"
        " UNION ALL SELECT format('mark %%s %%s has no row', schema, migration)"
        "  FROM (SELECT * FROM public.marks EXCEPT SELECT * FROM ledger) x"
        " UNION ALL SELECT format('row %%s %%s has no mark', schema, migration)"
        "  FROM (SELECT * FROM ledger EXCEPT SELECT * FROM public.marks) x"
        " UNION ALL SELECT format('%%s lacks %%s', schema, migration) FROM ("
        "  SELECT 'tenant_' || t.id AS schema, format('%%s_m%%s', lpad(m::text, 4, '0'), m) AS migration"
        "  FROM public.tenants t, generate_series(1, %d) m EXCEPT SELECT * FROM ledger) x"
        ") AS complaints LIMIT 20) AS first_ones",
        ledger, migrations);
    free(ledger);
    return verdict(complaints);
}

char *truth_violated(Fleet *fleet)
{
    return compare(fleet, 0);
}

char *truth_incomplete(Fleet *fleet, int migrations)
{
    return compare(fleet, migrations);
}

char *truth_untold(Fleet *fleet, const char *report, int migrations, bool whole)
{
    char *ledger = ledger_of(fleet), *document = PQescapeLiteral(fleet->connection, report, strlen(report));
    char *complaints = sql_text(
        fleet->connection,
        "WITH ledger (schema, migration) AS MATERIALIZED (%s),"
        " document AS (SELECT (%s)::jsonb AS d),"
        " summary AS (SELECT (d->'summary'->>'total')::int AS total, (d->'summary'->>'succeeded')::int AS "
        "good,"
        "  (d->'summary'->>'failed')::int AS bad, (d->'summary'->>'skipped')::int AS skipped,"
        "  jsonb_array_length(d->'results') AS told FROM document),"
        " result AS (SELECT r->>'schema' AS schema, (r->>'success')::bool AS good, r"
        "  FROM document, jsonb_array_elements(d->'results') r)"
        "SELECT string_agg(complaint, '; ' ORDER BY complaint) FROM (SELECT * FROM ("
        " SELECT format('%%s is called applied to %%s and is not recorded', a, schema) AS complaint"
        "  FROM result, jsonb_array_elements_text(r->'appliedMigrations') a"
        "  WHERE NOT EXISTS (SELECT FROM ledger l WHERE l.schema = result.schema AND l.migration = a)"
        " UNION ALL SELECT format('%%s is called successful and lacks migrations', schema) FROM result"
        "  WHERE good AND (SELECT count(*) FROM ledger l WHERE l.schema = result.schema) < %d"
        " UNION ALL SELECT format('%%s is called failed and lacks nothing: %%s', schema, r->>'error')"
        "  FROM result WHERE NOT good AND r->>'outcome' = 'error'"
        "  AND (SELECT count(*) FROM ledger l WHERE l.schema = result.schema) = %d"
        " UNION ALL SELECT format('totals of %%s do not add up', summary) FROM summary"
        "  WHERE %s(total <> good + bad + skipped OR told <> total OR total <> %d)"
        " UNION ALL SELECT format('%%s is told of twice', schema) FROM result GROUP BY schema"
        "  HAVING count(*) > 1"
        ") AS complaints LIMIT 20) AS first_ones",
        ledger, document, migrations, migrations, whole ? "" : "false AND ", fleet->tenants);
    free(ledger);
    PQfreemem(document);
    return verdict(complaints);
}

char *truth_left_over(Fleet *fleet, int deadline_ms)
{
    static const char WHAT[] =
        "SELECT string_agg(what, '; ') FROM ("
        " SELECT format('session %s of %s', pid, application_name) AS what FROM pg_stat_activity"
        "  WHERE application_name LIKE 'pgconvoy/%' AND datname = current_database()"
        " UNION ALL SELECT format('lock %s/%s held by %s', l.classid, l.objid, l.pid) FROM pg_locks l"
        "  JOIN pg_database d ON d.oid = l.database"
        "  WHERE l.locktype = 'advisory' AND d.datname = current_database()) x";
    for (int waited = 0;; waited += 5) {
        char *left = verdict(sql_text(fleet->connection, "%s", WHAT));
        if (left == NULL || waited >= deadline_ms)
            return left;
        free(left);
        sleep_ms(5);
    }
}
