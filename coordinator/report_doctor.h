/* The doctor's report on paper: JSON, or a line for each check. */
#pragma once
#include "coordinator/doctor.h"
#include <stdio.h>

bool report_doctor_json(FILE *file, const DoctorReport *report, Error *error) MUST_CHECK;
void report_doctor_text(FILE *file, const DoctorReport *report);
