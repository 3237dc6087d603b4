/* Plain script: may a file's statements be sent as they are, without an EXECUTE for each?
 *
 * EXECUTE has the server refuse whatever would end the migration's transaction. A plain script cannot hold
 * such a statement: libpg_query, whose scanner is the server's own, has cut it into statements; our own
 * tokens find no semicolon within any of them; and each begins with a word that no statement about
 * transactions, the session or the protocol begins with, in any version of the server. What does not return
 * rows, either: they would be sent here for nothing. Everything else goes through EXECUTE; so does what is
 * too long for the server to keep the parse of it all in memory.
 */
#pragma once
#include "worker/ops/migration_script.h"

bool script_is_plain(const MigrationScript *script);
