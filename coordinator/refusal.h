/* Refusal: the result of a tenant of which nothing can be made, in the words of whatever operation was asked
 * for. */
#pragma once
#include "common/record.h"
#include "common/tenant.h"

/* A result of this type that says why the tenant was refused; malloc'ed, its content for record_clear(). NULL
 * when memory ran out. */
void *refusal_result(const RecordType *type, const Tenant *tenant, Error *error) MUST_CHECK;
