/* Drift report: a finished drift run as JSON (the contract's shape) or for people. */
#pragma once
#include "coordinator/drift.h"
#include <stdio.h>

/* {referenceTenant, tenants:[...], summary:{...}, clusters:[{digest, tenants, example}]} */
bool drift_report_json(FILE *file, const DriftReport *report, Error *error) MUST_CHECK;

/* One paragraph for each way to differ from the reference, the most frequent first. `details` names every
 * tenant and every issue. */
void drift_report_text(FILE *file, const DriftReport *report, bool details);
