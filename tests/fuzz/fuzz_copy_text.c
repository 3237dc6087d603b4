/* Rows of COPY's text format, of any bytes: the fields lie inside the row, and nothing beyond it is touched.
 */
#include "worker/pg/copy_text.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MOST = 4 };
    char *fields[MOST] = {0}, *row = malloc(size + 1);
    if (row == NULL)
        return 0;
    memcpy(row, data, size);
    row[size] = '\0'; /* where libpq ends a row as well */
    size_t tabs = 0;
    for (size_t i = 0; i < size; i++)
        tabs += data[i] == '\t';
    if (copy_text_cut(row, size, fields, MOST) != tabs + 1)
        abort();
    for (size_t i = 0; i < MOST && i <= tabs; i++)
        if (fields[i] != NULL && fields[i] + strlen(fields[i]) > row + size)
            abort();
    free(row);
    return 0;
}
