/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/synth_images.c
 * Images with truth, drawn by procedure.
 */
#include "base/str.h"
#include "rvl/verbs.h"
#include "synth/phantom.h"
#include <string.h>

rvl_synth_images_opts rvl_synth_images_opts_default(void)
{
    return (rvl_synth_images_opts){.engine = "phantom", .modality = "cxr", .n = 200, .size = 256};
}

rvl_status rvl_synth_images_run(rvl_synth_images_result *out, const rvl_synth_images_opts *o, rvl_error *err)
{
    memset(out, 0, sizeof *out);
    if (!rvl_str_equal(o->engine, "phantom"))
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "there is no engine '%s'\nhint: phantom", o->engine);
    if (!rvl_str_equal(o->modality, "cxr"))
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "phantoms of modality '%s' cannot be drawn\nhint: cxr", o->modality);
    if (!o->out)
        return rvl_fail(err, RVL_ERR_USAGE, "no folder was given to draw into\nhint: -o FOLDER");
    if (o->n < 1 || o->n > 10000000)
        return rvl_fail(err, RVL_ERR_USAGE, "-n is 1 to 10000000, not %lld", (long long)o->n);
    rvl_phantom_opts   p = {.n = o->n,
                            .seed = (uint64_t)o->seed,
                            .height = o->size,
                            .width = o->size,
                            .out_path = o->out,
                            .modality = RVL_MODALITY_CXR,
                            .force = o->force,
                            .dry_run = o->dry_run};
    rvl_phantom_result r = {0};
    rvl_status         st = rvl_phantom_run(&r, &p, err);
    out->n_cases = r.n_cases;
    out->n_drawn = r.n_written;
    out->n_kept = r.n_skipped;
    return st;
}
