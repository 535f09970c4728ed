/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/thorax_folder.c
 * Write a folder of CT phantoms that ingest understands. A scan's last file is its first volume: what has it is whole,
 * and a run that was killed goes on where it stopped. map.yaml comes last of all.
 */
#include "synth/phantom_store.h"
#include "synth/thorax_internal.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "imaging/image_file.h"
#include "imaging/nifti.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 128, TWIN_SIDE = 256 };

static const char *const split_names[3] = {"train", "val", "test"};

static void make_case(rvl_thorax_case *c, const rvl_thorax_opts *o, int64_t index)
{
    rvl_thorax_case_make(c, o->seed, index, o->size, o->max_recons, o->split_ratio);
}

static void volume_name(char out[PATH_BYTES], const rvl_thorax_case *c, int recon)
{
    char name[RVL_THORAX_NAME_BYTES];

    rvl_thorax_name(name, c, recon);
    snprintf(out, PATH_BYTES, "images/%s.nii.gz", name);
}

static void mask_name(char out[PATH_BYTES], const rvl_thorax_case *c, int recon, int finding)
{
    char name[RVL_THORAX_NAME_BYTES];

    rvl_thorax_name(name, c, recon);
    snprintf(out, PATH_BYTES, "masks/%s-%s.nii.gz", name, rvl_thorax_finding_name(finding));
}

static void twin_name(char out[PATH_BYTES], const rvl_thorax_case *c)
{
    char name[RVL_THORAX_NAME_BYTES];

    rvl_thorax_name(name, c, -1);
    snprintf(out, PATH_BYTES, "xray/%s.png", name);
}

static rvl_status save(const rvl_volume *v, const char *folder, const char *name, rvl_error *err)
{
    char      *path = rvl_path_join(folder, name);
    rvl_status status = !path ? rvl_fail(err, RVL_ERR_NOMEM, "cannot write '%s': out of memory", name)
                        : rvl_str_ends(name, ".png") ? rvl_png_save(v, path, err)
                                                     : rvl_nifti_save(v, path, err);

    rvl_free(path);
    return status;
}

static rvl_status write_volume(const rvl_thorax_case *c, int recon, const rvl_thorax_opts *o, rvl_error *err)
{
    rvl_volume *volume = NULL, *masks[RVL_THORAX_N_FINDINGS] = {NULL};
    char        name[PATH_BYTES];
    rvl_status  status = rvl_thorax_render(&volume, o->no_masks ? NULL : masks, c, &c->recons[recon], err);

    for (int f = 0; f < RVL_THORAX_N_FINDINGS && !status; f++)
        if (masks[f]) {
            mask_name(name, c, recon, f);
            status = save(masks[f], o->out_path, name, err);
        }
    volume_name(name, c, recon);
    if (!status)
        status = save(volume, o->out_path, name, err);
    rvl_volume_free(volume);
    for (int f = 0; f < RVL_THORAX_N_FINDINGS; f++)
        rvl_volume_free(masks[f]);
    return status;
}

static rvl_status write_twin(const rvl_thorax_case *c, const rvl_thorax_opts *o, rvl_error *err)
{
    rvl_volume *image = NULL;
    char        name[PATH_BYTES];
    rvl_status  status = rvl_thorax_project(&image, c, TWIN_SIDE, 8, err);

    twin_name(name, c);
    if (!status)
        status = save(image, o->out_path, name, err);
    rvl_volume_free(image);
    return status;
}

static rvl_status write_case(bool *skipped, const rvl_thorax_case *c, const rvl_thorax_opts *o, rvl_error *err)
{
    char       name[PATH_BYTES];
    rvl_status status = RVL_OK;

    volume_name(name, c, 0);
    *skipped = rvl_phantom_has_file(o->out_path, name);
    if (*skipped)
        return RVL_OK;
    if (o->twin)
        status = write_twin(c, o, err);
    for (int i = c->n_recons - 1; i >= 0 && !status; i--)
        status = write_volume(c, i, o, err);
    return status;
}

static rvl_status write_numbered(bool *skipped, const void *opts, int64_t i, rvl_error *err)
{
    rvl_thorax_case c;

    make_case(&c, opts, i);
    return write_case(skipped, &c, opts, err);
}

/** A row of a volume, or of the scan's twin (`recon` -1). */
static void add_row(rvl_str *s, const rvl_thorax_case *c, int recon, const rvl_phantom_report *report)
{
    char name[PATH_BYTES];

    if (recon < 0)
        twin_name(name, c);
    else
        volume_name(name, c, recon);
    rvl_str_addf(s, "%s,P%06lld,", name, (long long)c->patient);
    rvl_thorax_name(name, c, -1);
    rvl_str_addf(s, "%s,%s,%03dY,%s", name, c->female ? "F" : "M", c->age_years, split_names[c->split]);
    if (recon >= 0)
        rvl_str_addf(s, ",%s,%.4f,%.2f", rvl_kernel_text(c->recons[recon].kernel), c->recons[recon].pixel_mm,
                     c->recons[recon].slice_mm);
    for (int f = 0; f < RVL_THORAX_N_FINDINGS; f++)
        rvl_str_addf(s, ",%d", c->truth[f].present ? 1 : 0);
    rvl_phantom_add_report(s, report->report, report->findings, report->impression);
}

static rvl_status add_case_rows(rvl_str *cases, rvl_str *twins, const rvl_thorax_case *c, rvl_error *err)
{
    rvl_phantom_report report;
    rvl_status         status = rvl_thorax_report_write(&report, c, err);

    if (status)
        return status;
    for (int i = 0; i < c->n_recons; i++)
        add_row(cases, c, i, &report);
    add_row(twins, c, -1, &report);
    rvl_phantom_report_fini(&report);
    return RVL_OK;
}

static void add_truth_rows(rvl_str *s, const rvl_thorax_case *c, const rvl_thorax_opts *o)
{
    char image[PATH_BYTES], mask[PATH_BYTES];

    for (int i = 0; i < c->n_recons; i++)
        for (int f = 0; f < RVL_THORAX_N_FINDINGS; f++) {
            const rvl_thorax_truth *t = &c->truth[f];

            if (!t->present)
                continue;
            volume_name(image, c, i);
            mask_name(mask, c, i, f);
            rvl_str_addf(s, "%s,%s,%s,%s,%s,%d,%.1f,%d,%s,%s\n", image, rvl_thorax_finding_name(f),
                         rvl_side_text(t->side), rvl_zone_text(t->zone), rvl_thorax_kind_text(t->kind), t->severity,
                         t->size_mm, t->count, t->hedged ? "uncertain" : "certain", o->no_masks ? "" : mask);
        }
}

static void add_header(rvl_str *s, bool twin)
{
    rvl_str_addf(s, "image_path,patient_id,study_id,sex,age,split%s", twin ? "" : ",kernel,pixel_mm,slice_mm");
    for (int f = 0; f < RVL_THORAX_N_FINDINGS; f++)
        rvl_str_addf(s, ",%s", rvl_thorax_finding_name(f));
    rvl_str_add(s, ",report,findings,impression\n");
}

static rvl_status write_tables(const rvl_thorax_opts *o, rvl_error *err)
{
    rvl_str    cases = {0}, twins = {0}, truth = {0};
    rvl_status status = RVL_OK;

    add_header(&cases, false);
    add_header(&twins, true);
    rvl_str_add(&truth, "image_path,finding,side,zone,kind,severity,size_mm,count,wording,mask_path\n");
    for (int64_t i = 0; i < o->n && !status; i++) {
        rvl_thorax_case c;

        make_case(&c, o, o->start + i);
        status = add_case_rows(&cases, &twins, &c, err);
        add_truth_rows(&truth, &c, o);
    }
    if (!status)
        status = rvl_phantom_save_text(&cases, o->out_path, "cases.csv", err);
    if (!status && o->twin)
        status = rvl_phantom_save_text(&twins, o->out_path, "twins.csv", err);
    if (!status)
        status = rvl_phantom_save_text(&truth, o->out_path, "truth.csv", err);
    rvl_str_free(&cases);
    rvl_str_free(&twins);
    rvl_str_free(&truth);
    return status;
}

static rvl_status write_map(const rvl_thorax_opts *o, bool twin, rvl_error *err)
{
    rvl_str    s = {0};
    rvl_status status;

    rvl_str_addf(&s,
                 "table: %s\npublic_data: true\nmodality: %s\nbody_part: chest\nschema: ct-rate-18\ncolumns:\n  image: "
                 "image_path\n"
                 "  patient: patient_id\n  study: study_id\n  report: report\n  findings: findings\n"
                 "  impression: impression\n  sex: sex\n  age: age\n  split: split\nlabels:\n",
                 twin ? "twins.csv" : "cases.csv", twin ? "cxr" : "ct");
    for (int f = 0; f < RVL_THORAX_N_FINDINGS; f++)
        rvl_str_addf(&s, "  %s: %s\n", rvl_thorax_finding_name(f), rvl_thorax_finding_name(f));
    rvl_str_add(&s, twin ? "preprocess: {height: 64, width: 64, window: robust, bits: 8}\n"
                         : "unit: hu\npreprocess: {preset: ct-tiny}\n");
    status = rvl_phantom_save_text(&s, o->out_path, twin ? "map_cxr.yaml" : "map.yaml", err);
    rvl_str_free(&s);
    return status;
}

/** What a volume depends on; `n` and `start` are free, so a folder may grow. */
static rvl_status options_text(char **out, const rvl_thorax_opts *o, rvl_error *err)
{
    json_t    *j = json_object(), *ratio = json_array();
    char       seed[24];
    rvl_status status;
    bool       good = j && ratio;

    snprintf(seed, sizeof seed, "%llu", (unsigned long long)o->seed); /* above 2^63 it would be no JSON integer */
    for (int i = 0; i < 3 && good; i++)
        good = json_array_append_new(ratio, rvl_json_real(o->split_ratio[i])) == 0;
    good = good && rvl_json_set(j, "schema", json_string("rvl.phantom/1")) &&
           rvl_json_set(j, "seed", json_string(seed)) && rvl_json_set(j, "modality", json_string("ct")) &&
           rvl_json_set(j, "size", json_integer(o->size)) && rvl_json_set(j, "recons", json_integer(o->max_recons)) &&
           rvl_json_set(j, "masks", json_boolean(!o->no_masks)) && rvl_json_set(j, "twin", json_boolean(o->twin)) &&
           rvl_json_set(j, "split_ratio", json_incref(ratio));
    *out = NULL;
    status = good ? rvl_json_format(out, j, 2, err)
                  : rvl_fail(err, RVL_ERR_NOMEM, "cannot describe the phantoms: out of memory");
    json_decref(ratio);
    json_decref(j);
    return status;
}

static rvl_status open_folder(const rvl_thorax_opts *o, rvl_error *err)
{
    static const char *const folders[] = {"images", "masks", "xray", NULL};
    static const char *const tables[] = {"map.yaml", "map_cxr.yaml", "cases.csv", "twins.csv", "truth.csv", NULL};
    char                    *options = NULL;
    rvl_status               status = options_text(&options, o, err);

    if (!status)
        status = rvl_phantom_open_folder(o->out_path, folders, tables, options, o->force, err);
    rvl_free(options);
    return status;
}

static void count_cases(rvl_thorax_result *out, const rvl_thorax_opts *o)
{
    int64_t last_patient = -1;

    for (int64_t i = 0; i < o->n; i++) {
        rvl_thorax_case c;
        int             n = 0;

        make_case(&c, o, o->start + i);
        for (int f = 0; f < RVL_THORAX_N_FINDINGS; f++) {
            n += c.truth[f].present;
            out->n_present[f] += c.truth[f].present;
        }
        out->n_normal += n == 0;
        out->n_volumes += c.n_recons;
        out->n_split[c.split]++;
        out->n_patients += c.patient != last_patient;
        last_patient = c.patient;
    }
    out->n_cases = o->n;
}

static rvl_status check_opts(rvl_thorax_opts *o, rvl_error *err)
{
    double total = o->split_ratio[0] + o->split_ratio[1] + o->split_ratio[2];

    if (!o->out_path || !*o->out_path)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot write phantoms: no output folder is given");
    if (o->n < 1 || o->start < 0 || o->n > 999999 - o->start)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot draw %lld phantoms from scan %lld on: scan numbers are 0..999998",
                        (long long)o->n, (long long)o->start);
    for (int i = 0; i < 3; i++)
        if (!(o->split_ratio[i] >= 0) || !isfinite(o->split_ratio[i]))
            return rvl_fail(err, RVL_ERR_USAGE, "cannot split phantoms: the ratio of %s is not a number >= 0",
                            split_names[i]);
    if (total <= 0) {
        o->split_ratio[0] = 0.8;
        o->split_ratio[1] = o->split_ratio[2] = 0.1;
    }
    o->size = o->size ? o->size : 128;
    o->max_recons = o->max_recons ? o->max_recons : 2;
    if (o->size < 32 || o->size > 512)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot draw CT phantoms of %lld columns: 32..512", (long long)o->size);
    if (o->max_recons < 1 || o->max_recons > RVL_THORAX_MAX_RECONS)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot make %d reconstructions a scan: 1..%d", o->max_recons,
                        RVL_THORAX_MAX_RECONS);
    return RVL_OK;
}

rvl_status rvl_thorax_run(rvl_thorax_result *out, const rvl_thorax_opts *opts, rvl_error *err)
{
    rvl_thorax_opts o = *opts;
    rvl_status      status = check_opts(&o, err);

    memset(out, 0, sizeof *out);
    if (status)
        return status;
    count_cases(out, &o);
    if (o.dry_run)
        return RVL_OK;
    status = open_folder(&o, err);
    if (!status)
        status =
            rvl_phantom_write_cases(&out->n_written, &out->n_skipped, write_numbered, &o, o.start, o.n, "scans", err);
    if (!status)
        status = write_tables(&o, err);
    if (!status && o.twin)
        status = write_map(&o, true, err);
    return status ? status : write_map(&o, false, err);
}
