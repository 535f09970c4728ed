/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/phantom_folder.c
 * Write a folder of phantoms that ingest understands. A picture is written after its masks, the tables after all
 * pictures, map.yaml last: what is there is whole, and a run that was killed goes on where it stopped.
 */
#include "synth/phantom_internal.h"
#include "synth/phantom_store.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "imaging/image_file.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 96 };

static const char *const split_names[3] = {"train", "val", "test"};

static void image_name(char out[NAME_BYTES], int64_t index)
{
    snprintf(out, NAME_BYTES, "images/%06lld.png", (long long)index);
}

static void mask_name(char out[NAME_BYTES], int64_t index, int finding)
{
    snprintf(out, NAME_BYTES, "masks/%06lld-%s.png", (long long)index, rvl_phantom_finding_name(finding));
}

static rvl_status save(const rvl_volume *v, const char *folder, const char *name, rvl_error *err)
{
    char      *path = rvl_path_join(folder, name);
    rvl_status status = path ? rvl_png_save(v, path, err)
                             : rvl_fail(err, RVL_ERR_NOMEM,
                                        "cannot write '%s': out of "
                                        "memory",
                                        name);

    rvl_free(path);
    return status;
}

static rvl_status write_case(bool *skipped, const rvl_phantom_case *c, const rvl_phantom_opts *o, rvl_error *err)
{
    rvl_volume *image = NULL, *masks[RVL_PHANTOM_N_FINDINGS] = {NULL};
    char        name[NAME_BYTES];
    rvl_status  status;

    image_name(name, c->index);
    *skipped = rvl_phantom_has_file(o->out_path, name);
    if (*skipped)
        return RVL_OK;
    status = rvl_phantom_render(&image, masks, c, o->height, o->width, o->bits, err);
    for (int f = 0; f < RVL_PHANTOM_N_FINDINGS && !status; f++)
        if (masks[f]) {
            mask_name(name, c->index, f);
            status = save(masks[f], o->out_path, name, err);
        }
    image_name(name, c->index);
    if (!status)
        status = save(image, o->out_path, name, err);
    rvl_volume_free(image);
    for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++)
        rvl_volume_free(masks[f]);
    return status;
}

static rvl_status write_numbered(bool *skipped, const void *opts, int64_t i, rvl_error *err)
{
    const rvl_phantom_opts *o = opts;
    rvl_phantom_case        c;

    rvl_phantom_case_make(&c, o->seed, i, o->split_ratio);
    return write_case(skipped, &c, o, err);
}

static rvl_status add_case_row(rvl_str *s, const rvl_phantom_case *c, rvl_error *err)
{
    rvl_phantom_report report;
    char               name[NAME_BYTES];
    rvl_status         status = rvl_phantom_report_write(&report, c, err);

    if (status)
        return status;
    image_name(name, c->index);
    rvl_str_addf(s, "%s,P%06lld,S%06lld,%s,%s,%d,%s", name, (long long)c->patient, (long long)c->index,
                 c->view == RVL_VIEW_AP ? "AP" : "PA", c->female ? "F" : "M", c->age_years, split_names[c->split]);
    for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++)
        rvl_str_addf(s, ",%d", c->truth[f].present ? 1 : 0);
    rvl_phantom_add_report(s, report.report, report.findings, report.impression);
    rvl_phantom_report_fini(&report);
    return RVL_OK;
}

static void add_truth_rows(rvl_str *s, const rvl_phantom_case *c)
{
    char image[NAME_BYTES], mask[NAME_BYTES];

    image_name(image, c->index);
    for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++) {
        const rvl_phantom_truth *t = &c->truth[f];

        if (!t->present)
            continue;
        mask_name(mask, c->index, f);
        rvl_str_addf(s, "%s,%s,%s,%s,%s,%d,%.1f,%s\n", image, rvl_phantom_finding_name(f), rvl_side_text(t->side),
                     rvl_zone_text(t->zone), rvl_phantom_kind_text(t->kind), t->severity, t->size_mm, mask);
    }
}

static rvl_status write_tables(const rvl_phantom_opts *o, rvl_error *err)
{
    rvl_str    cases = {0}, truth = {0};
    rvl_status status = RVL_OK;

    rvl_str_add(&cases, "image_path,patient_id,study_id,view,sex,age,split");
    for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++)
        rvl_str_addf(&cases, ",%s", rvl_phantom_finding_name(f));
    rvl_str_add(&cases, ",report,findings,impression\n");
    rvl_str_add(&truth, "image_path,finding,side,zone,kind,severity,size_mm,mask_path\n");
    for (int64_t i = 0; i < o->n && !status; i++) {
        rvl_phantom_case c;

        rvl_phantom_case_make(&c, o->seed, o->start + i, o->split_ratio);
        status = add_case_row(&cases, &c, err);
        add_truth_rows(&truth, &c);
    }
    if (!status)
        status = rvl_phantom_save_text(&cases, o->out_path, "cases.csv", err);
    if (!status)
        status = rvl_phantom_save_text(&truth, o->out_path, "truth.csv", err);
    rvl_str_free(&cases);
    rvl_str_free(&truth);
    return status;
}

static rvl_status write_map(const rvl_phantom_opts *o, rvl_error *err)
{
    static const char *const fixed =
        "table: cases.csv\npublic_data: true\nmodality: cxr\nbody_part: chest\nschema: phantom-8\n"
        "columns:\n  image: image_path\n  patient: patient_id\n  study: study_id\n"
        "  report: report\n  findings: findings\n  impression: impression\n"
        "  view: view\n  sex: sex\n  age: age\n  split: split\nlabels:\n";
    rvl_str    s = {0};
    rvl_status status;

    rvl_str_add(&s, fixed);
    for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++)
        rvl_str_addf(&s, "  %s: %s\n", rvl_phantom_finding_name(f), rvl_phantom_finding_name(f));
    rvl_str_add(&s, "preprocess:\n  height: 64\n  width: 64\n  window: robust\n  bits: 8\n");
    status = rvl_phantom_save_text(&s, o->out_path, "map.yaml", err);
    rvl_str_free(&s);
    return status;
}

/** What an image depends on; `n` and `start` are free, so a folder may grow. */
static rvl_status options_text(char **out, const rvl_phantom_opts *o, rvl_error *err)
{
    json_t    *j = json_object(), *ratio = json_array();
    char       seed[24];
    rvl_status status;
    bool       good = j && ratio;

    snprintf(seed, sizeof seed, "%llu", (unsigned long long)o->seed); /* above 2^63 it would be no JSON integer */
    for (int i = 0; i < 3 && good; i++)
        good = json_array_append_new(ratio, rvl_json_real(o->split_ratio[i])) == 0;
    good = good && rvl_json_set(j, "schema", json_string("rvl.phantom/1")) &&
           rvl_json_set(j, "seed", json_string(seed)) && rvl_json_set(j, "modality", json_string("cxr")) &&
           rvl_json_set(j, "height", json_integer(o->height)) && rvl_json_set(j, "width", json_integer(o->width)) &&
           rvl_json_set(j, "bits", json_integer(o->bits)) && rvl_json_set(j, "split_ratio", json_incref(ratio));
    *out = NULL;
    status = good ? rvl_json_format(out, j, 2, err)
                  : rvl_fail(err, RVL_ERR_NOMEM,
                             "cannot describe the phantoms: out "
                             "of memory");
    json_decref(ratio);
    json_decref(j);
    return status;
}

static rvl_status open_folder(const rvl_phantom_opts *o, rvl_error *err)
{
    static const char *const folders[] = {"images", "masks", NULL};
    static const char *const tables[] = {"map.yaml", "cases.csv", "truth.csv", NULL};
    char                    *options = NULL;
    rvl_status               status = options_text(&options, o, err);

    if (!status)
        status = rvl_phantom_open_folder(o->out_path, folders, tables, options, o->force, err);
    rvl_free(options);
    return status;
}

static void count_cases(rvl_phantom_result *out, const rvl_phantom_opts *o)
{
    int64_t last_patient = -1;

    for (int64_t i = 0; i < o->n; i++) {
        rvl_phantom_case c;
        int              n = 0;

        rvl_phantom_case_make(&c, o->seed, o->start + i, o->split_ratio);
        for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++) {
            n += c.truth[f].present;
            out->n_present[f] += c.truth[f].present;
        }
        out->n_normal += n == 0;
        out->n_split[c.split]++;
        out->n_patients += c.patient != last_patient;
        last_patient = c.patient;
    }
    out->n_cases = o->n;
}

static rvl_status check_opts(rvl_phantom_opts *o, rvl_error *err)
{
    double total = o->split_ratio[0] + o->split_ratio[1] + o->split_ratio[2];

    if (o->modality != RVL_MODALITY_UNKNOWN && o->modality != RVL_MODALITY_CXR)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "cannot draw phantoms of modality '%s': only cxr is known",
                        rvl_modality_text(o->modality));
    if (!o->out_path || !*o->out_path)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot write phantoms: no output folder is given");
    if (o->n < 1 || o->start < 0 || o->n > 999999 - o->start)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot draw %lld phantoms from case %lld on: case numbers are 0..999998",
                        (long long)o->n, (long long)o->start);
    for (int i = 0; i < 3; i++)
        if (!(o->split_ratio[i] >= 0) || !isfinite(o->split_ratio[i]))
            return rvl_fail(err, RVL_ERR_USAGE, "cannot split phantoms: the ratio of %s is not a number >= 0",
                            split_names[i]);
    if (total <= 0) {
        o->split_ratio[0] = 0.8;
        o->split_ratio[1] = o->split_ratio[2] = 0.1;
    }
    o->height = o->height ? o->height : 256;
    o->width = o->width ? o->width : 256;
    o->bits = o->bits ? o->bits : 8;
    if (o->height < 32 || o->width < 32 || o->height > 4096 || o->width > 4096 || (o->bits != 8 && o->bits != 16))
        return rvl_fail(err, RVL_ERR_USAGE,
                        "cannot draw phantoms of %lld x %lld pixels and %d bits: sides are "
                        "32..4096, bits 8 or 16",
                        (long long)o->height, (long long)o->width, o->bits);
    return RVL_OK;
}

rvl_status rvl_phantom_run(rvl_phantom_result *out, const rvl_phantom_opts *opts, rvl_error *err)
{
    rvl_phantom_opts o = *opts;
    rvl_status       status = check_opts(&o, err);

    memset(out, 0, sizeof *out);
    if (status)
        return status;
    count_cases(out, &o);
    if (o.dry_run)
        return RVL_OK;
    status = open_folder(&o, err);
    if (!status)
        status =
            rvl_phantom_write_cases(&out->n_written, &out->n_skipped, write_numbered, &o, o.start, o.n, "images", err);
    if (!status)
        status = write_tables(&o, err);
    return status ? status : write_map(&o, err);
}
