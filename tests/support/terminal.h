/* A program under test on a terminal of its own, with somebody who answers its one question. */
#pragma once

/* Starts PROGRAM (a name in the build's bin folder) in `folder`, types `answer` once the screen shows
 * `prompt`, and returns the exit code, or 128 + signal. *ret_screen is all that was shown, malloc'ed. A
 * program that is silent for 20 seconds is killed. */
int terminal_run(const char *folder, const char *const words[], const char *prompt, const char *answer,
                 char **ret_screen);
