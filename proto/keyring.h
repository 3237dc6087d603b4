/* Keyring: this program's key pair, its role, and whom it lets in; shared by the links of a WireContext.
 *
 * The peers file is read again when it has changed (looked at every second) and when keyring_reload() is
 * called. A file that cannot be read or is wrong leaves the last good list in force and is logged once. A key
 * that was taken out of the file is refused from then on, also on connections that stand. Thread-safe.
 */
#pragma once
#include "proto/peers.h"

typedef struct Keyring Keyring;

typedef struct KeyringOptions {
    const char *key_file;
    const char *peers_file;
    PeerRole role; /* ours; the others' is the other one */
} KeyringOptions;

Keyring *keyring_new(const KeyringOptions *options, Error *error) MUST_CHECK;
void keyring_free(Keyring *keyring); /* accepts NULL */

/* Constant while the keyring lives. */
const CurveKey *keyring_own(const Keyring *keyring);
PeerRole keyring_other_role(const Keyring *keyring);

/* Whether a program with this key and the other role may come in now; the name is for logs. */
bool keyring_admits(Keyring *keyring, const char *public_key);

/* Key number i modulo how many there are, of the program that listens at `address`: see peers_at_address().
 * ERROR_CONFIG when the peers file knows none. */
bool keyring_server_key(Keyring *keyring, const char *address, size_t i, char ret_key[CURVE_KEY_TEXT],
                        Error *error) MUST_CHECK;

/* Reads the peers file again, now or if it has changed since the last time. */
void keyring_reload(Keyring *keyring);
void keyring_reload_changed(Keyring *keyring);

/* Logs that somebody was refused: once for each key and address, until the peers file changes. */
void keyring_log_refusal(Keyring *keyring, const char *public_key, const char *address, const char *why);
