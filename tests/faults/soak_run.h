/* One run inside this process. Apart from soak.c, because the product's Fleet and the tests' are two. */
#pragma once
#include "common/config.h"
#include "common/error.h"

/* Migrates everybody, or looks at everybody's status, with a worker hosted here. */
bool soak_run(const Config *config, bool status, size_t *ret_tenants, Error *error) MUST_CHECK;
