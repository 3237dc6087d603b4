#include "worker/pg/session.h"

const char SESSION_TAIL[] =
    "SET SESSION AUTHORIZATION DEFAULT; RESET ALL; RESET ROLE; CLOSE ALL; DEALLOCATE ALL; "
    "UNLISTEN *; SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; "
    "DISCARD SEQUENCES";
