# Sourced by the programs of this folder: a throwaway server with fleets on it. Whoever sources it has set `tenants`,
# and `place`, the folder below which everything is made.
# shellcheck shell=bash disable=SC2034,SC2154

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
bench=$root/tests/bench

candidates=(/usr/lib/postgresql/*/bin)
pg=${candidates[-1]}
PATH=$pg:$PATH
folder=$(mktemp -d "$place/pgconvoy-bench.XXXXXX")
chmod 755 "$folder"
server=$folder/server
export XDG_STATE_HOME=$folder/state

as_server_user() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups "$@")
    else
        "$@"
    fi
}

clean_up() {
    [ ! -e "$server/data/postmaster.pid" ] ||
        as_server_user "$pg/pg_ctl" -D "$server/data" -m immediate -w -s stop || true
    rm -rf "$folder"
}

# build TARGET...: and puts the programs on the path.
build() {
    cmake --preset release >/dev/null
    cmake --build --preset release --target "$@" -- --quiet
    PATH=$root/build/release/bin:$PATH
}

# As a packaged server is: everything at its default, fsync on, passwords by SCRAM over TCP.
start_server() {
    mkdir -m 700 "$server"
    [ "$(id -u)" -ne 0 ] || chown postgres: "$server"
    printf bench >"$folder/password"
    chmod 644 "$folder/password"
    port=$((20000 + RANDOM % 12000))
    as_server_user "$pg/initdb" -D "$server/data" -U bench --pwfile "$folder/password" -A scram-sha-256 -E UTF8 \
        --locale=C >"$folder/initdb.log"
    as_server_user "$pg/pg_ctl" -D "$server/data" -w -s -l "$server/log" \
        -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=" start
}

url() {
    echo "postgresql://bench:bench@127.0.0.1:$port/$1"
}

sql() {
    psql -XqAt -v ON_ERROR_STOP=1 "$(url "$1")" "${@:2}"
}

# The fleet that everybody starts from: empty schemas.
make_template() {
    sql postgres -c "CREATE DATABASE empty"
    sql empty -c "DO \$\$ BEGIN FOR i IN 1..$tenants LOOP
        EXECUTE format('CREATE SCHEMA %I', 'tenant_t' || lpad(i::text, 6, '0')); END LOOP; END \$\$" -c "VACUUM ANALYZE"
    mkdir "$folder/five"
    cp "$bench"/migrations/000[1-5]*.sql "$folder/five"
    cat >"$folder/pgconvoy.yaml" <<END
databases: [{name: main, url: '\${BENCH_URL}'}]
tenants:
  query: SELECT 't' || lpad(i::text, 6, '0') FROM generate_series(1, $tenants) i
END
}

catalogs=(pg_class pg_attribute pg_index pg_constraint pg_namespace pg_depend pg_type pg_attrdef pg_trigger
    pg_sequence pg_enum)

# Whatever autovacuum would have done by now, so that it does not do it during somebody's turn.
settle() {
    printf 'VACUUM ANALYZE pg_catalog.%s;\n' "${catalogs[@]}" | sql "$1"
    sql "$1" -c CHECKPOINT
}

# Every tenant has so many rows, and as many relations as the files make: who did not do the work was not fast. A
# statement for each tenant, because one for all of them would need a lock on each table.
verify() {
    local rows relations
    rows=$(echo "SELECT format('SELECT count(*) FROM %I.__drizzle_migrations', nspname) FROM pg_namespace
        WHERE nspname LIKE 'tenant\_t%' \gexec" | sql "$1" | awk '{ n += $1 } END { print n }')
    relations=$(sql "$1" -c "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname LIKE 'tenant\\_t%' AND c.relkind IN ('r', 'i', 'S')")
    if [ "$rows" -ne $((tenants * $2)) ] || [ "$relations" -ne $((tenants * 45)) ]; then
        echo "error: $1 has $rows rows and $relations relations" >&2
        exit 1
    fi
}
