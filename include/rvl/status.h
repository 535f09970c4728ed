/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rvl/status.h
 * Status codes and caller-owned error text.
 *
 * Every fallible function returns rvl_status; results come first through out-parameters, `rvl_error *err` is
 * last and may be NULL. The text never holds a patient identifier.
 */
#ifndef RVL_STATUS_H
#define RVL_STATUS_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define RVL_BEGIN_DECLS extern "C" {
#define RVL_END_DECLS }
#else
#define RVL_BEGIN_DECLS
#define RVL_END_DECLS
#endif

#define RVL_API __attribute__((visibility("default")))
#define RVL_MUST_USE __attribute__((warn_unused_result))
#define RVL_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define RVL_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

RVL_BEGIN_DECLS

/** X(name, text, exit code). Numbers are stable; detail goes into the error text. */
#define RVL_STATUS_LIST(X)                                                                                             \
    X(OK, "success", 0)                                                                                                \
    X(ERR_USAGE, "wrong usage or configuration", 2)                                                                    \
    X(ERR_NOT_FOUND, "not found or empty", 3)                                                                          \
    X(ERR_IO, "file system error", 6)                                                                                  \
    X(ERR_FORMAT, "input damaged", 4)                                                                                  \
    X(ERR_UNSUPPORTED, "input not supported", 4)                                                                       \
    X(ERR_LIMIT, "a limit was exceeded", 4)                                                                            \
    X(ERR_NOMEM, "out of memory", 7)                                                                                   \
    X(ERR_SHAPE, "shapes do not fit", 4)                                                                               \
    X(ERR_DEVICE, "device or build lacks a feature", 8)                                                                \
    X(ERR_COMM, "communication failed", 8)                                                                             \
    X(ERR_NUMERIC, "not a number, or divergence", 9)                                                                   \
    X(ERR_STATE, "not possible in this state", 2)                                                                      \
    X(ERR_CANCELLED, "interrupted, state saved", 130)                                                                  \
    X(ERR_INTERNAL, "internal error, please report", 70)

typedef enum {
#define X(name, text, code) RVL_##name,
    RVL_STATUS_LIST(X)
#undef X
} rvl_status;

#define RVL_ERROR_TEXT_BYTES 1024

/** Owned by the caller, usually on its stack, initialised with { 0 }. Nothing to free. */
typedef struct {
    rvl_status code;
    char       text[RVL_ERROR_TEXT_BYTES];
} rvl_error;

/** Short fixed text of a status ("input damaged"). */
RVL_API const char *rvl_status_text(rvl_status status);
/** The program's exit code for a status (docs/reference/cli, "exit codes"). */
RVL_API int         rvl_status_exit_code(rvl_status status);

/** Set `err` (may be NULL) to `status` and a formatted text; returns `status`. Style: lower case, no full
 *  stop, what failed first, subject in single quotes, cause, then "\nhint: ..." on its own line. */
RVL_API rvl_status rvl_fail(rvl_error *err, rvl_status status, const char *format, ...) RVL_PRINTF(3, 4);
/** Put formatted context and ": " before the text of `err`. */
RVL_API void       rvl_error_prefix(rvl_error *err, const char *format, ...) RVL_PRINTF(2, 3);

RVL_END_DECLS
#endif /* RVL_STATUS_H */
