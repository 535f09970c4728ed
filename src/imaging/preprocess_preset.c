/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/preprocess_preset.c
 * Specs by name, for maps (preprocess: {preset: NAME}) and for `rvl ingest --preset NAME`.
 */
#include "base/str.h"
#include "imaging/preprocess.h"

typedef struct {
    const char       *name;
    int64_t           side[3], load[3]; /* depth, height, width; load 0: the same */
    double            spacing_mm[3];    /* width, height, depth */
    double            low_hu, high_hu;  /* window */
    rvl_resample_rule rule;
    const char        orient[4];
} preset;

/* ct-tiny: 336 mm a side, so that a thorax fits. ct-seed: MPS-CT's and GreenRFM's, crops of a larger pack, in the order
 * of CT-CLIP's loader. ct-clip: CT-CLIP's, of its second version (-1000..1000 HU). */
static const preset presets[] = {
    {"ct-tiny", {48, 96, 96}, {0, 0, 0}, {3.5, 3.5, 7}, -1000, 200, RVL_RESAMPLE_CENTRE, "LPS"},
    {"ct-seed", {96, 192, 192}, {120, 240, 240}, {1.5, 1.5, 3}, -1000, 200, RVL_RESAMPLE_CT_CLIP, ""},
    {"ct-clip", {240, 480, 480}, {0, 0, 0}, {0.75, 0.75, 1.5}, -1000, 1000, RVL_RESAMPLE_CT_CLIP, ""},
};

rvl_status rvl_preprocess_preset(rvl_preprocess *out, const char *name, rvl_error *err)
{
    rvl_str names = {0};

    for (size_t i = 0; i < RVL_ARRAY_LEN(presets); i++) {
        const preset *p = &presets[i];
        rvl_str_addf(&names, "%s%s", i ? ", " : "", p->name);
        if (!rvl_str_equal(p->name, name))
            continue;
        *out = (rvl_preprocess){.modality = RVL_MODALITY_CT,
                                .body_part = "chest",
                                .depth = p->side[0],
                                .height = p->side[1],
                                .width = p->side[2],
                                .window = RVL_WINDOW_FIXED,
                                .window_a = p->low_hu,
                                .window_b = p->high_hu,
                                .out_low = -1,
                                .out_high = 1,
                                .bits = 16,
                                .load_depth = p->load[0],
                                .load_height = p->load[1],
                                .load_width = p->load[2],
                                .spacing_mm = {p->spacing_mm[0], p->spacing_mm[1], p->spacing_mm[2]},
                                .resample = p->rule};
        for (int a = 0; a < 3; a++)
            out->orient[a] = p->orient[a];
        rvl_str_free(&names);
        return RVL_OK;
    }
    rvl_status st = rvl_fail(err, RVL_ERR_USAGE, "there is no preprocessing preset '%s'\nhint: %s", name,
                             names.failed ? "see docs/formats/map.md" : names.ptr);
    rvl_str_free(&names);
    return st;
}
