/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/assert.c
 * The end of the program on one of our own bugs; the only abort in the library.
 */
#include "base/log.h"
#include "base/util.h"

#include <stdlib.h>

#include "base/banned.h"

void rvl_assert_failed(const char *what, const char *file, int line)
{
    rvl_log(RVL_LOG_ERROR, "internal error, please report: %s:%d: '%s' is false", file, line, what);
    abort();
}
