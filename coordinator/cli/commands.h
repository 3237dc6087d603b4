/* The commands of pgconvoy: each runs to its end, prints its result on stdout and returns the exit code. */
#pragma once
#include "common/options.h"

int cli_migrate(const CliArguments *arguments);        /* migrate.c */
int cli_status(const CliArguments *arguments);         /* status.c */
int cli_sync(const CliArguments *arguments);           /* sync.c */
int cli_tenant_create(const CliArguments *arguments);  /* tenant_create.c */
int cli_tenant_drop(const CliArguments *arguments);    /* tenant_drop.c */
int cli_tenant_exists(const CliArguments *arguments);  /* tenant_exists.c */
int cli_diff(const CliArguments *arguments);           /* diff.c */
int cli_introspect(const CliArguments *arguments);     /* introspect.c */
int cli_convert_format(const CliArguments *arguments); /* convert_format.c */
int cli_generate(const CliArguments *arguments);       /* generate.c: also generate:shared */
int cli_keygen(const CliArguments *arguments);         /* keygen.c */
