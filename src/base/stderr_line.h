/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/stderr_line.h
 * One lock and one write call for everything on stderr, so that log lines and the progress bar never mix.
 */
#ifndef RVL_BASE_STDERR_LINE_H
#define RVL_BASE_STDERR_LINE_H
#include <stdbool.h>

/** Write a line; a bar on the terminal is wiped first and comes back with its next update. */
void rvl__stderr_line(const char *text);
/** Draw `text` over the bar; NULL wipes it. */
void rvl__stderr_bar(const char *text);

#endif /* RVL_BASE_STDERR_LINE_H */
