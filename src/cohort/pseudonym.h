/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/pseudonym.h
 * What stands in a cohort for identifiers and dates. Keys are salted hashes: equal for equal identifiers under one
 * salt, and of no meaning without it. The salt lies beside the crosswalk, outside the cohort, readable by its owner
 * alone.
 */
#ifndef RVL_COHORT_PSEUDONYM_H
#define RVL_COHORT_PSEUDONYM_H
#include "rvl/status.h"

#define RVL__SALT_BYTES 32
#define RVL__KEY_BYTES 17 /* 16 hex digits and a NUL: 64 bits */
#define RVL__DATE_BYTES 11
#define RVL__NO_DATE INT64_MIN
/** Older people are few enough to be known by their age: it is 90 for all of them. */
#define RVL__MAX_AGE_YEARS 90.0

typedef struct {
    uint8_t salt[RVL__SALT_BYTES];
} rvl__pseudonyms;

/** Read the salt at `path`; if there is none, draw one and write it with mode 0600. Several processes may do so at
 *  once: they get the same. `path` NULL: a salt for this process alone. FORMAT if the file holds something else. */
RVL_MUST_USE rvl_status rvl__pseudonyms_open(rvl__pseudonyms *out, const char *path, rvl_error *err);
/** Key of `text` among identifiers of one `kind` ("patient", "study", "image", "series", "accession"). */
void    rvl__pseudonym(char out[RVL__KEY_BYTES], const rvl__pseudonyms *p, const char *kind, const char *text);
/** Days that all dates of a patient are moved by: -1 .. -3652. */
int64_t rvl__pseudonym_days(const rvl__pseudonyms *p, const char *patient);

/** "20260131" or "2026-01-31" as days from 1970-01-01 in the Gregorian calendar; false if it is no date. */
bool rvl__date_parse(int64_t *out, const char *text);
/** The date as "2026-01-31"; "" for RVL__NO_DATE. */
void rvl__date_format(char out[RVL__DATE_BYTES], int64_t days);

#endif /* RVL_COHORT_PSEUDONYM_H */
