/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/names.c
 * Open addressing with linear probing; the table doubles when it is half full.
 */
#include "cohort/names.h"
#include "base/alloc.h"
#include "base/util.h"
#include <string.h>

static size_t slot_find(const rvl__names *set, const char *name)
{
    size_t i = (size_t)rvl_hash64(name, strlen(name)) & (set->n_slots - 1);

    while (set->slots[i] && strcmp(set->names[set->slots[i] - 1], name) != 0)
        i = (i + 1) & (set->n_slots - 1);
    return i;
}

static rvl_status names_grow(rvl__names *set, rvl_error *err)
{
    size_t       n_slots = set->n_slots ? set->n_slots * 2 : 64;
    int64_t     *slots = rvl_alloc_array(n_slots, sizeof *slots);
    const char **names = slots ? rvl_realloc_array(set->names, n_slots / 2, sizeof *names) : NULL;

    if (!names) {
        rvl_free(slots);
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot hold %lld names: out of memory", (long long)set->n + 1);
    }
    rvl_free(set->slots);
    set->names = names;
    set->slots = slots;
    set->n_slots = n_slots;
    set->capacity = n_slots / 2;
    for (int64_t i = 0; i < set->n; i++)
        set->slots[slot_find(set, set->names[i])] = i + 1;
    return RVL_OK;
}

rvl_status rvl__names_add(int64_t *out, bool *is_new, rvl__names *set, const char *name, rvl_error *err)
{
    if ((size_t)set->n >= set->capacity) {
        rvl_status st = names_grow(set, err);
        if (st)
            return st;
    }
    size_t i = slot_find(set, name);
    *is_new = set->slots[i] == 0;
    if (*is_new) {
        set->names[set->n] = name;
        set->slots[i] = ++set->n;
    }
    *out = set->slots[i] - 1;
    return RVL_OK;
}

int64_t rvl__names_find(const rvl__names *set, const char *name)
{
    return set->n ? set->slots[slot_find(set, name)] - 1 : -1;
}

void rvl__names_fini(rvl__names *set)
{
    rvl_free(set->names);
    rvl_free(set->slots);
    *set = (rvl__names){0};
}
