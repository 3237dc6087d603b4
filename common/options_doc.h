/* What help and manual both say of an option and of an exit code. Internal to common's option files. */
#pragma once
#include "common/buffer.h"
#include "common/options.h"

/* The row's doc, or its setting's, with unit and default. */
void option_describe(const Option *row, Buffer *doc);
const char *exit_code_doc(const ExitCode *code);
