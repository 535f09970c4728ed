/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/layout.c
 * Offsets in the arena: the largest buffers first, each at the lowest place that is free during its whole life.
 */
#include "engine/plan.h"
#include <stdlib.h>

static int compare_size(const void *a, const void *b)
{
    const rvl_plan_buffer *x = *(rvl_plan_buffer *const *)a, *y = *(rvl_plan_buffer *const *)b;

    if (x->n_bytes != y->n_bytes)
        return x->n_bytes < y->n_bytes ? 1 : -1;
    if (x->birth != y->birth)
        return x->birth < y->birth ? -1 : 1;
    return x < y ? -1 : 1;
}

static bool is_together(const rvl_plan_buffer *a, const rvl_plan_buffer *b)
{
    return a->birth <= b->death && b->birth <= a->death;
}

rvl_status rvl__plan_layout(size_t *arena_bytes, rvl_plan_buffer *buffers, int n, bool share, rvl_error *err)
{
    rvl_plan_buffer **todo = rvl_alloc_array((size_t)n + 1, sizeof *todo);
    rvl_plan_buffer **placed = rvl_alloc_array((size_t)n + 1, sizeof *placed); /* by offset */
    int               n_todo = 0, n_placed = 0;
    size_t            need = 0;

    *arena_bytes = 0;
    if (!todo || !placed) {
        rvl_free(todo);
        rvl_free(placed);
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot lay out the plan's memory: out of memory");
    }
    for (int i = 0; i < n; i++)
        if (!buffers[i].fixed)
            todo[n_todo++] = &buffers[i];
    qsort(todo, (size_t)n_todo, sizeof *todo, compare_size);
    for (int i = 0; i < n_todo; i++) {
        rvl_plan_buffer *b = todo[i];
        size_t           offset = 0;
        for (int k = 0; k < n_placed; k++) {
            const rvl_plan_buffer *p = placed[k];
            if (share && !is_together(b, p))
                continue;
            if (p->offset >= offset + b->n_bytes)
                break; /* the gap before p is wide enough */
            if (p->offset + p->n_bytes > offset)
                offset = p->offset + p->n_bytes;
        }
        b->offset = offset;
        int at = n_placed++;
        for (; at > 0 && placed[at - 1]->offset > offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = b;
        if (offset + b->n_bytes > need)
            need = offset + b->n_bytes;
    }
    rvl_free(todo);
    rvl_free(placed);
    *arena_bytes = need;
    return RVL_OK;
}
