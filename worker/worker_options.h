/* The command line of pgconvoy-worker. */
#pragma once
#include "common/options.h"

/* argv[0] is the program; the result as in options_parse(). */
CliArguments *worker_options_parse(int argc, char *const argv[], Error *error) MUST_CHECK;

/* pgconvoy-worker(1) as roff; malloc'ed, NULL when memory ran out. */
char *worker_options_manual(void);
