-- A fleet: one row and one empty schema for each tenant. psql passes the size as -v tenants=N.
CREATE TABLE public.tenants (
    id text PRIMARY KEY,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO public.tenants (id, name)
SELECT lpad(n::text, 6, '0'), 'Shop number ' || n
FROM generate_series(1, :tenants) AS n;

SELECT format('CREATE SCHEMA %I', 'tenant_' || id) FROM public.tenants ORDER BY id
\gexec

-- Counts what the tenants' tracking tables record: a second opinion on what pgconvoy reports.
CREATE FUNCTION public.recorded_migrations() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    tracking regclass;
    rows bigint;
    total bigint := 0;
BEGIN
    FOR tracking IN SELECT oid FROM pg_class WHERE relname = '__drizzle_migrations' AND relkind = 'r'
    LOOP
        EXECUTE format('SELECT count(*) FROM %s', tracking) INTO rows;
        total := total + rows;
    END LOOP;
    RETURN total;
END $$;
