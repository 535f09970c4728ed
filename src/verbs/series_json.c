/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/series_json.c
 * Stacks of DICOM slices as JSON.
 */
#include "verbs/series_json.h"
#include "base/json.h"

rvl__stack_fate rvl__stack_fate_of(const rvl_dicom_stack *k)
{
    if (k->is_colour)
        return RVL__STACK_COLOUR;
    if (k->is_localiser)
        return RVL__STACK_LOCALISER;
    return k->status ? RVL__STACK_REFUSED : RVL__STACK_VOLUME;
}

static json_t *notes_json(const rvl_dicom_stack *k)
{
    json_t *notes = json_array();

    for (int64_t i = 0; i < k->n_notes; i++) {
        json_t *one = json_object();
        rvl_json_set(one, "kind", json_string(rvl_series_note_text(k->notes[i].kind)));
        rvl_json_set(one, "text", json_string(k->notes[i].text));
        json_array_append_new(notes, one);
    }
    return notes;
}

json_t *rvl__stack_json(const rvl_dicom_stack *k)
{
    static const char *const fates[] = {"volume", "localiser", "colour", "refused"};
    json_t                  *j = json_object();
    const rvl_grid          *g = &k->grid;

    rvl_json_set(j, "series_number", k->series_number >= 0 ? json_integer(k->series_number) : json_null());
    rvl_json_set(j, "part", json_integer(k->i_part + 1));
    rvl_json_set(j, "parts", json_integer(k->n_parts));
    rvl_json_set(j, "description", json_string(k->description));
    rvl_json_set(j, "modality", json_string(k->modality));
    rvl_json_set(j, "shape", json_pack("[I, I, I]", (json_int_t)g->depth, (json_int_t)g->height, (json_int_t)g->width));
    rvl_json_set(j, "slices", json_integer(k->n_slices));
    rvl_json_set(j, "spacing_mm",
                 g->has_spacing ? json_pack("[f, f, f]", g->spacing_mm.x, g->spacing_mm.y, g->spacing_mm.z)
                                : json_null());
    if (k->tilt_deg > 0)
        rvl_json_set(j, "tilt_deg", json_real(k->tilt_deg));
    rvl_json_set(j, "status", json_string(fates[rvl__stack_fate_of(k)]));
    if (k->reason[0])
        rvl_json_set(j, "reason", json_string(k->reason));
    rvl_json_set(j, "notes", notes_json(k));
    return j;
}

void rvl__skips_json(json_t *out, const rvl_dicom_scan *s)
{
    json_t       *skips = json_array();
    int64_t       n_other = 0;
    const int64_t n = rvl_dicom_scan_n_skips(s);

    for (int64_t i = 0; i < n; i++) {
        rvl_dicom_skip k = rvl_dicom_scan_skip(s, i);
        if (k.kind == RVL_SKIP_NOT_DICOM) {
            n_other++;
            continue;
        }
        json_t *one = json_object();
        rvl_json_set(one, "file", json_string(k.path));
        rvl_json_set(one, "kind", json_string(rvl_skip_text(k.kind)));
        rvl_json_set(one, "reason", json_string(k.text));
        json_array_append_new(skips, one);
    }
    rvl_json_set(out, "skipped", skips);
    rvl_json_set(out, "files", json_integer(rvl_dicom_scan_n_files(s)));
    rvl_json_set(out, "files_not_dicom", json_integer(n_other));
}
