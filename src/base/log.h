/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/log.h
 * Log lines and progress on stderr. The library never writes to stdout. No PHI in any line.
 */
#ifndef RVL_BASE_LOG_H
#define RVL_BASE_LOG_H
#include "rvl/status.h"

typedef enum { RVL_LOG_ERROR, RVL_LOG_WARN, RVL_LOG_INFO, RVL_LOG_DEBUG } rvl_log_level;
void rvl_log_set_level(rvl_log_level level); /* default INFO */
void rvl_log_set_json(bool json);            /* one JSON object a line */
void rvl_log(rvl_log_level level, const char *format, ...) RVL_PRINTF(2, 3);

typedef enum {
    RVL_PROGRESS_AUTO,
    RVL_PROGRESS_BAR,
    RVL_PROGRESS_PLAIN,
    RVL_PROGRESS_JSON,
    RVL_PROGRESS_NONE
} rvl_progress_mode;
void rvl_progress_set_mode(rvl_progress_mode mode);
/** One running task at a time: `verb` "ingest", `unit` "images". AUTO: a bar on a terminal (after 1 s, at most
 *  5 updates/s), else a plain line every 30 s. */
void rvl_progress_begin(const char *verb, const char *unit, int64_t n_total);
void rvl_progress_update(int64_t n_done, int64_t n_errors);
void rvl_progress_end(void);

#endif /* RVL_BASE_LOG_H */
