/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/layout.c
 * The datasets by name.
 */
#include "cohort/layout.h"
#include <string.h>

static const struct {
    const char *name;
    rvl_status (*read)(rvl__layout *out, const char *folder, rvl_error *err);
} layouts[] = {{"ct-rate", rvl__layout_ct_rate}, {"rad-chestct", rvl__layout_rad_chestct}};

bool rvl__layout_is(const char *name)
{
    for (size_t i = 0; i < RVL_ARRAY_LEN(layouts); i++)
        if (rvl_str_equal(layouts[i].name, name))
            return true;
    return false;
}

rvl_status rvl__layout_read(rvl__layout *out, const char *name, const char *folder, rvl_error *err)
{
    rvl_status st = rvl_fail(err, RVL_ERR_USAGE, "there is no dataset preset '%s'", name);

    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < RVL_ARRAY_LEN(layouts); i++)
        if (rvl_str_equal(layouts[i].name, name))
            st = layouts[i].read(out, folder, err);
    if (!st && (out->map.failed || out->table.failed))
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot read the tables of '%s': out of memory", folder);
    if (st)
        rvl__layout_fini(out);
    return st;
}

void rvl__layout_fini(rvl__layout *l)
{
    rvl_str_free(&l->map);
    rvl_str_free(&l->table);
    memset(l, 0, sizeof *l);
}
