/* The commands of pgconvoy: each runs to its end, prints its result on stdout and returns the exit code. */
#pragma once
#include "common/options.h"

int cli_migrate(const CliArguments *arguments);          /* migrate.c */
int cli_migrate_shared(const CliArguments *arguments);   /* migrate_shared.c */
int cli_status(const CliArguments *arguments);           /* status.c */
int cli_sync(const CliArguments *arguments);             /* sync.c */
int cli_tenant_create(const CliArguments *arguments);    /* tenant_create.c */
int cli_tenant_drop(const CliArguments *arguments);      /* tenant_drop.c */
int cli_tenant_exists(const CliArguments *arguments);    /* tenant_exists.c */
int cli_diff(const CliArguments *arguments);             /* diff.c */
int cli_introspect(const CliArguments *arguments);       /* introspect.c */
int cli_doctor(const CliArguments *arguments);           /* doctor.c */
int cli_metrics(const CliArguments *arguments);          /* metrics.c */
int cli_tenant_clone(const CliArguments *arguments);     /* tenant_clone.c */
int cli_rehearse(const CliArguments *arguments);         /* rehearse.c */
int cli_keygen(const CliArguments *arguments);           /* keygen.c */
int cli_seed_shared(const CliArguments *arguments);      /* seed_shared.c */
int cli_seed_all(const CliArguments *arguments);         /* seed_shared.c */
int cli_seed(const CliArguments *arguments);             /* seed.c */
int cli_convert_format(const CliArguments *arguments);   /* convert_format.c */
int cli_generate(const CliArguments *arguments);         /* generate.c: also generate:shared */
int cli_tenant_clone(const CliArguments *arguments);     /* tenant_clone.c */
int cli_run_list(const CliArguments *arguments);         /* run_list.c */
int cli_run_show(const CliArguments *arguments);         /* run_show.c */
int cli_run_resume(const CliArguments *arguments);       /* run_again.c */
int cli_run_retry_failed(const CliArguments *arguments); /* run_again.c */
