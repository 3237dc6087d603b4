/* File: reading a whole descriptor, the one thing that lists, migrations and journals have in common. */
#pragma once
#include "common/buffer.h"
#include <stdbool.h>
#include <stddef.h>

/* Appends everything up to the end of fd. False with errno set: EFBIG when there is more than `limit` bytes,
 * ENOMEM, or what read(2) said. The descriptor stays open and the buffer keeps what was read. */
bool file_read_all(int fd, size_t limit, Buffer *buffer) __attribute__((warn_unused_result));

/* Closes *fd unless it is negative, for the cleanup attribute. */
void file_close(const int *fd);

#define FILE_CLEANUP __attribute__((cleanup(file_close)))
