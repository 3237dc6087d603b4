-- The database role of pgconvoy-worker, with no more rights than migrating takes. To be run in each database by
-- somebody who may grant these things; fine to repeat. Adapt: names, and the pattern of the tenants' schemas.
--
--   psql --file deploy/role.sql DATABASE          then: \password pgconvoy

DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'pgconvoy') THEN
        CREATE ROLE pgconvoy LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
    END IF;
END $$;

-- Everything: to connect, and what tenants.query reads.
DO $$ BEGIN
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO pgconvoy', current_database());
END $$;
GRANT USAGE ON SCHEMA public TO pgconvoy;
GRANT SELECT ON public.tenants TO pgconvoy;

-- migrate, status, sync: the tenants' schemas. Tracking tables that another role has made are read and written;
-- one that is missing is made, and belongs to pgconvoy then.
DO $$
DECLARE
    tenant record;
    tracking record;
BEGIN
    FOR tenant IN SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tenant\_%' LOOP
        EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO pgconvoy', tenant.nspname);
    END LOOP;
    FOR tracking IN
        SELECT c.oid::regclass AS name, (SELECT pg_get_serial_sequence(c.oid::regclass::text, attname)
            FROM pg_attribute WHERE attrelid = c.oid AND attname = 'id') AS sequence
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname LIKE 'tenant\_%' AND c.relname = '__drizzle_migrations' AND c.relkind = 'r'
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO pgconvoy', tracking.name);
        IF tracking.sequence IS NOT NULL THEN
            EXECUTE format('GRANT USAGE ON SEQUENCE %s TO pgconvoy', tracking.sequence);
        END IF;
    END LOOP;
END $$;

-- Migrations that change tables of another role need that role as well:
--   GRANT app_owner TO pgconvoy;
-- tenant:create and tenant:clone make schemas:
--   GRANT CREATE ON DATABASE app TO pgconvoy;
-- migrate:shared works on the schema public:
--   GRANT CREATE ON SCHEMA public TO pgconvoy;
-- tenant:drop and convert-format need the owner of the schema, or of the tracking tables.
