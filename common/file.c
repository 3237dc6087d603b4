#include "common/file.h"
#include <errno.h>
#include <unistd.h>

bool file_read_all(int fd, size_t limit, Buffer *buffer)
{
    char chunk[65536];
    size_t total = 0;
    for (;;) {
        ssize_t length = read(fd, chunk, sizeof(chunk));
        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0)
            return length == 0;
        if ((size_t)length > limit - total) {
            errno = EFBIG;
            return false;
        }
        total += (size_t)length;
        buffer_append(buffer, chunk, (size_t)length);
        if (buffer_failed(buffer)) {
            errno = ENOMEM;
            return false;
        }
    }
}

void file_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
