#include "proto/curve_key.h"
#include "common/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum { KEY_FILE_MAX = 4096, RAW_KEY = 32 };

static const char HEAD[] =
    "# A key pair of pgconvoy. Whoever can read this file can be taken for its owner.\n";

bool curve_key_generate(CurveKey *ret_key, Error *error)
{
    if (zmq_curve_keypair(ret_key->public_key, ret_key->secret_key) == 0)
        return true;
    error_set(error, ERROR_SYSTEM, "this libzmq makes no CURVE keys: %s", zmq_strerror(zmq_errno()));
    error_set_hint(error, "install a libzmq that is built with libsodium.");
    return false;
}

void curve_key_wipe(CurveKey *key)
{
    explicit_bzero(key, sizeof *key);
}

bool curve_public_key_valid(const char *text)
{
    unsigned char raw[RAW_KEY];
    return strlen(text) == CURVE_KEY_TEXT - 1 && zmq_z85_decode(raw, text) != NULL;
}

static bool file_failed(Error *error, const char *what, const char *path)
{
    return error_set(error, ERROR_CONFIG, "cannot %s key file \"%s\": %s", what, path, strerror(errno));
}

bool curve_key_write(const CurveKey *key, const char *path, Error *error)
{
    FILE_CLEANUP int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        bool exists = errno == EEXIST;
        file_failed(error, "make", path);
        if (exists)
            error_set_hint(error, "choose another name; a key that is in use is not overwritten.");
        return false;
    }
    char text[sizeof HEAD + 2 * (CURVE_KEY_TEXT + 8)];
    int length =
        snprintf(text, sizeof text, "%spublic %s\nsecret %s\n", HEAD, key->public_key, key->secret_key);
    bool written = write(fd, text, (size_t)length) == length && fsync(fd) == 0;
    explicit_bzero(text, sizeof text);
    if (written)
        return true;
    file_failed(error, "write", path);
    unlink(path);
    return false;
}

static bool check_owner(int fd, const char *path, Error *error)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return file_failed(error, "look at", path);
    if (!S_ISREG(status.st_mode))
        return error_set(error, ERROR_CONFIG, "key file \"%s\" is no regular file", path);
    if (status.st_uid == geteuid() && (status.st_mode & 077) == 0)
        return true;
    error_set(error, ERROR_CONFIG, "key file \"%s\" is open to other users", path);
    error_set_detail(error, "owner %u, mode %04o; this process runs as %u", (unsigned)status.st_uid,
                     (unsigned)(status.st_mode & 07777), (unsigned)geteuid());
    error_set_hint(error, "chmod 600 the file, and give it to the user that runs the program.");
    return false;
}

/* Takes the value of a line "word VALUE" over; false when it has another form. */
static bool read_line(const char *line, size_t length, const char *word, char ret_value[CURVE_KEY_TEXT])
{
    size_t word_length = strlen(word);
    if (length != word_length + 1 + CURVE_KEY_TEXT - 1 || strncmp(line, word, word_length) != 0 ||
        line[word_length] != ' ')
        return false;
    memcpy(ret_value, line + word_length + 1, CURVE_KEY_TEXT - 1);
    ret_value[CURVE_KEY_TEXT - 1] = '\0';
    return true;
}

/* Both lines, and that they belong together. */
static bool parse(const char *text, CurveKey *key)
{
    bool has_public = false, has_secret = false;
    for (const char *line = text; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        if (length > 0 && *line != '#') {
            if (read_line(line, length, "public", key->public_key))
                has_public = true;
            else if (read_line(line, length, "secret", key->secret_key))
                has_secret = true;
            else
                return false;
        }
        line += length + (line[length] == '\n');
    }
    char derived[CURVE_KEY_TEXT];
    return has_public && has_secret && curve_public_key_valid(key->public_key) &&
           curve_public_key_valid(key->secret_key) && zmq_curve_public(derived, key->secret_key) == 0 &&
           strcmp(derived, key->public_key) == 0;
}

bool curve_key_read(const char *path, CurveKey *ret_key, Error *error)
{
    FILE_CLEANUP int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        file_failed(error, "read", path);
        error_set_hint(error, "`pgconvoy keygen` makes one.");
        return false;
    }
    if (!check_owner(fd, path, error))
        return false;
    Buffer text = {0};
    CurveKey key;
    bool read = file_read_all(fd, KEY_FILE_MAX, &text);
    int reason = errno;
    bool good = read && strlen(buffer_text(&text)) == text.length && parse(buffer_text(&text), &key);
    if (text.data != NULL)
        explicit_bzero(text.data, text.length);
    buffer_clear(&text);
    if (good)
        *ret_key = key;
    curve_key_wipe(&key);
    if (good)
        return true;
    errno = reason;
    if (!read)
        return file_failed(error, "read", path);
    error_set(error, ERROR_CONFIG, "key file \"%s\" holds no key pair", path);
    error_set_hint(error,
                   "it needs the lines \"public KEY\" and \"secret KEY\" as `pgconvoy keygen` writes them.");
    return false;
}
