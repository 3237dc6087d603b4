/* A run's journal on any bytes: read up to its last whole line, or refused with a reason. To get past the
 * lines' digits, the target also puts right ones in front of every line. */
#include "common/buffer.h"
#include "coordinator/run_journal_internal.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_bytes(const void *bytes, size_t length)
{
    ERROR_CLEANUP Error error = {0};
    JournalContent content = {0};
    int fd = memfd_create("journal", MFD_CLOEXEC);
    char path[64];
    if (fd < 0 || write(fd, bytes, length) != (ssize_t)length)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    bool read = run_journal_read(path, &content, &error);
    if (read ? content.length > (int64_t)length || content.tenants == NULL : error.message == NULL)
        abort();
    run_journal_content_clear(&content);
    close(fd);
}

/* Every line of the input as a line of a journal. */
static void read_with_digits(const char *text)
{
    ERROR_CLEANUP Error error = {0};
    BUFFER_CLEANUP Buffer journal = {0};
    char chain[JOURNAL_CHAIN + 1] = "", next[JOURNAL_CHAIN + 1];
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        if (!run_journal_chain(chain, text, length, next, &error))
            abort();
        memcpy(chain, next, sizeof chain);
        buffer_appendf(&journal, "%s %.*s\n", chain, (int)length, text);
        text += length + (text[length] == '\n');
    }
    read_bytes(buffer_text(&journal), journal.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_bytes(data, size);
    char *text = strndup((const char *)data, size);
    if (text != NULL)
        read_with_digits(text);
    free(text);
    return 0;
}
