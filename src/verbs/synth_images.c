/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/synth_images.c
 * Images with truth, drawn by procedure.
 */
#include "base/str.h"
#include "rvl/verbs.h"
#include "synth/phantom.h"
#include "synth/thorax.h"
#include <stdio.h>
#include <string.h>

rvl_synth_images_opts rvl_synth_images_opts_default(void)
{
    return (rvl_synth_images_opts){.engine = "phantom", .modality = "cxr", .n = 200, .recons = 2};
}

/** "TRAIN,VAL,TEST" as three numbers; all 0 if nothing is given. */
static rvl_status read_split(double ratio[3], const char *text, rvl_error *err)
{
    char        part[32];
    const char *at = text;

    ratio[0] = ratio[1] = ratio[2] = 0;
    for (int i = 0; text && i < 3; i++) {
        size_t n = strcspn(at, ",");

        snprintf(part, sizeof part, "%.*s", (int)(n < sizeof part ? n : sizeof part - 1), at);
        if (!rvl_parse_f64(part, &ratio[i]) || ratio[i] < 0 || (at[n] == ',') != (i < 2))
            return rvl_fail(err, RVL_ERR_USAGE, "cannot split patients by '%s'\nhint: --split 0.8,0.1,0.1", text);
        at += n + 1;
    }
    if (text && ratio[0] + ratio[1] + ratio[2] <= 0)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot split patients by '%s': all shares are 0", text);
    return RVL_OK;
}

static rvl_status draw_radiographs(rvl_synth_images_result *out, const rvl_synth_images_opts *o, const double split[3],
                                   rvl_error *err)
{
    rvl_phantom_opts   p = {.n = o->n,
                            .seed = (uint64_t)o->seed,
                            .height = o->size,
                            .width = o->size,
                            .out_path = o->out,
                            .modality = RVL_MODALITY_CXR,
                            .split_ratio = {split[0], split[1], split[2]},
                            .force = o->force,
                            .dry_run = o->dry_run};
    rvl_phantom_result r = {0};
    rvl_status         st = rvl_phantom_run(&r, &p, err);

    *out = (rvl_synth_images_result){r.n_cases, r.n_written, r.n_skipped, r.n_cases};
    return st;
}

static rvl_status draw_thoraces(rvl_synth_images_result *out, const rvl_synth_images_opts *o, const double split[3],
                                rvl_error *err)
{
    rvl_thorax_opts   p = {.n = o->n,
                           .seed = (uint64_t)o->seed,
                           .size = o->size,
                           .max_recons = (int)o->recons,
                           .twin = o->twin,
                           .no_masks = o->no_masks,
                           .out_path = o->out,
                           .split_ratio = {split[0], split[1], split[2]},
                           .force = o->force,
                           .dry_run = o->dry_run};
    rvl_thorax_result r = {0};
    rvl_status        st = rvl_thorax_run(&r, &p, err);

    *out = (rvl_synth_images_result){r.n_cases, r.n_written, r.n_skipped, r.n_volumes};
    return st;
}

rvl_status rvl_synth_images_run(rvl_synth_images_result *out, const rvl_synth_images_opts *o, rvl_error *err)
{
    const bool is_ct = rvl_str_equal(o->modality, "ct");
    double     split[3];

    memset(out, 0, sizeof *out);
    if (!rvl_str_equal(o->engine, "phantom"))
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "there is no engine '%s'\nhint: phantom", o->engine);
    if (!is_ct && !rvl_str_equal(o->modality, "cxr"))
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "phantoms of modality '%s' cannot be drawn\nhint: cxr or ct",
                        o->modality);
    if (!o->out)
        return rvl_fail(err, RVL_ERR_USAGE, "no folder was given to draw into\nhint: -o FOLDER");
    if (o->n < 1 || o->n > 10000000)
        return rvl_fail(err, RVL_ERR_USAGE, "-n is 1 to 10000000, not %lld", (long long)o->n);
    if (o->recons < 1 || o->recons > RVL_THORAX_MAX_RECONS)
        return rvl_fail(err, RVL_ERR_USAGE, "--recons is 1 to %d, not %lld", RVL_THORAX_MAX_RECONS,
                        (long long)o->recons);
    if (read_split(split, o->split, err))
        return RVL_ERR_USAGE;
    return is_ct ? draw_thoraces(out, o, split, err) : draw_radiographs(out, o, split, err);
}
