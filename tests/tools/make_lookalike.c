/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/tools/make_lookalike.c
 * make_lookalike KIND FOLDER N: N scans of phantoms in the folder layout of a published dataset, for tests.
 *
 *   ct-rate      second version: HU, whole headers; the metadata list slope and intercept all the same
 *   ct-rate-v1   first version: float raw values, blank headers, intercepts of -1024 and -8192 in the metadata alone
 *   rad-chestct  npz of int16, labels by abnormality and location
 *
 * What is odd in the published tables is odd here: quoted commas and line breaks, "Not given.", lists as text, 44
 * columns of metadata. The grids are small; RAD-ChestCT's 0.8 mm is said of them, not true.
 */
#include "base/alloc.h"
#include "base/csv.h"
#include "base/file.h"
#include "findings/schema.h"
#include "imaging/nifti.h"
#include "synth/thorax.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

enum { SIZE = 48, N_METADATA = 44 };

static const char *const metadata_names[N_METADATA] = {
    "VolumeName",
    "Manufacturer",
    "SeriesDescription",
    "ManufacturerModelName",
    "PatientSex",
    "PatientAge",
    "ReconstructionDiameter",
    "DistanceSourceToDetector",
    "DistanceSourceToPatient",
    "GantryDetectorTilt",
    "TableHeight",
    "RotationDirection",
    "ExposureTime",
    "XRayTubeCurrent",
    "Exposure",
    "FilterType",
    "GeneratorPower",
    "FocalSpots",
    "ConvolutionKernel",
    "PatientPosition",
    "RevolutionTime",
    "SingleCollimationWidth",
    "TotalCollimationWidth",
    "TableSpeed",
    "TableFeedPerRotation",
    "SpiralPitchFactor",
    "DataCollectionCenterPatient",
    "ReconstructionTargetCenterPatient",
    "ExposureModulationType",
    "CTDIvol",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SliceLocation",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "XYSpacing",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "NumberofSlices",
    "ZSpacing",
    "StudyDate",
};

static void must(rvl_status st, const rvl_error *err)
{
    if (!st)
        return;
    fprintf(stderr, "make_lookalike: %s\n", err->text);
    exit(1);
}

static void save_text(rvl_str *s, const char *folder, const char *name)
{
    rvl_error err = {0};
    char     *path = rvl_path_join(folder, name);

    if (!path || s->failed)
        exit(1);
    must(rvl_file_write(path, s->ptr, s->n_bytes, &err), &err);
    rvl_free(path);
    rvl_str_free(s);
}

static void make_dir(const char *folder, const char *name)
{
    rvl_error err = {0};
    char     *path = rvl_path_join(folder, name);

    if (!path)
        exit(1);
    must(rvl_dir_make(path, &err), &err);
    rvl_free(path);
}

static void add_metadata(rvl_str *s, const char *volume, const rvl_thorax_case *c, const rvl_thorax_recon *q,
                         const rvl_volume *v, int intercept)
{
    for (int i = 0; i < N_METADATA; i++) {
        const char *name = metadata_names[i];
        char        cell[128] = "";

        if (strcmp(name, "VolumeName") == 0)
            snprintf(cell, sizeof cell, "%s", volume);
        else if (strcmp(name, "Manufacturer") == 0)
            snprintf(cell, sizeof cell, "Phantom, \"Inc.\"");
        else if (strcmp(name, "PatientSex") == 0)
            snprintf(cell, sizeof cell, "%s", c->female ? "F" : "M");
        else if (strcmp(name, "PatientAge") == 0)
            snprintf(cell, sizeof cell, "%03dY", c->age_years);
        else if (strcmp(name, "ConvolutionKernel") == 0)
            snprintf(cell, sizeof cell, "['%s', '2']", rvl_kernel_text(q->kernel));
        else if (strcmp(name, "PatientPosition") == 0)
            snprintf(cell, sizeof cell, "HFS");
        else if (strcmp(name, "ImagePositionPatient") == 0)
            snprintf(cell, sizeof cell, "[%.4f, %.4f, %.2f]", v->origin_mm.x, v->origin_mm.y, v->origin_mm.z);
        else if (strcmp(name, "ImageOrientationPatient") == 0)
            snprintf(cell, sizeof cell, "[1, 0, 0, 0, 1, 0]");
        else if (strcmp(name, "Rows") == 0 || strcmp(name, "Columns") == 0)
            snprintf(cell, sizeof cell, "%lld", (long long)q->side);
        else if (strcmp(name, "XYSpacing") == 0)
            snprintf(cell, sizeof cell, "[%.6f, %.6f]", q->pixel_mm, q->pixel_mm);
        else if (strcmp(name, "RescaleIntercept") == 0)
            snprintf(cell, sizeof cell, "%d", intercept);
        else if (strcmp(name, "RescaleSlope") == 0)
            snprintf(cell, sizeof cell, "1");
        else if (strcmp(name, "NumberofSlices") == 0)
            snprintf(cell, sizeof cell, "%lld", (long long)q->depth);
        else if (strcmp(name, "ZSpacing") == 0)
            snprintf(cell, sizeof cell, "%.6f", q->slice_mm);
        rvl_csv_add_field(s, cell);
        rvl_str_add(s, i + 1 < N_METADATA ? "," : "\n");
    }
}

/** Raw values without any geometry, as the first version has them. */
static void make_raw(rvl_volume **v, int intercept)
{
    rvl_volume *raw = NULL;
    rvl_error   err = {0};
    int64_t     n = (*v)->depth * (*v)->height * (*v)->width;

    must(rvl_volume_new(&raw, RVL_VOXEL_F32, (*v)->depth, (*v)->height, (*v)->width, &err), &err);
    for (int64_t i = 0; i < n; i++)
        ((float *)raw->voxels)[i] = (float)(rvl_volume_at(*v, i) - intercept);
    raw->spacing_mm = (rvl_vec3){1, 1, 1};
    rvl_volume_free(*v);
    *v = raw;
}

typedef struct {
    const char *root;
    bool        is_v1;
    rvl_str     reports[2], labels[2], metadata[2]; /* train, valid */
} ct_rate;

static void add_report(rvl_str *s, const char *volume, const rvl_phantom_report *report, int64_t index)
{
    rvl_str findings = {0};

    rvl_str_addf(&findings, "%s\nOther \"mediastinal\" structures, as far as seen, are natural.", report->findings);
    rvl_str_addf(s, "%s,%s,%s,", volume, index % 2 ? "Not given." : "\"Cough, fever.\"", "Not given.");
    rvl_csv_add_field(s, findings.ptr);
    rvl_str_add(s, ",");
    rvl_csv_add_field(s, index % 3 == 2 ? "Not given." : report->impression);
    rvl_str_add(s, "\n");
    rvl_str_free(&findings);
}

static void write_volume(ct_rate *out, const rvl_thorax_case *c, int recon, int is_valid)
{
    const rvl_thorax_recon *q = &c->recons[recon];
    const char             *split = is_valid ? "valid" : "train";
    const int               intercept = (c->index + recon) % 2 ? -8192 : -1024;
    rvl_volume             *v = NULL;
    rvl_error               err = {0};
    char                    patient[32], folder[128], volume[64], path[512];

    snprintf(patient, sizeof patient, "%s_%lld", split, (long long)c->patient + 1);
    snprintf(folder, sizeof folder, "dataset/%s%s/%s/%s_%c", split, out->is_v1 ? "" : "_fixed", patient, patient,
             c->index == c->patient ? 'a' : 'b');
    snprintf(volume, sizeof volume, "%s_%c_%d.nii.gz", patient, c->index == c->patient ? 'a' : 'b', recon + 1);
    make_dir(out->root, folder);
    must(rvl_thorax_render(&v, NULL, c, q, &err), &err);
    add_metadata(&out->metadata[is_valid], volume, c, q, v, intercept);
    if (out->is_v1)
        make_raw(&v, intercept);
    snprintf(path, sizeof path, "%s/%s/%s", out->root, folder, volume);
    must(rvl_nifti_save(v, path, &err), &err);
    rvl_str_add(&out->labels[is_valid], volume);
    for (int f = 0; f < RVL_THORAX_N_FINDINGS; f++)
        rvl_str_addf(&out->labels[is_valid], ",%d", c->truth[f].present);
    rvl_str_add(&out->labels[is_valid], "\n");
    rvl_volume_free(v);
}

static void make_ct_rate(const char *root, bool is_v1, int64_t n)
{
    ct_rate     out = {.root = root, .is_v1 = is_v1};
    rvl_schema *schema = NULL;
    rvl_error   err = {0};

    must(rvl_schema_open(&schema, "ct-rate-18", &err), &err);
    make_dir(root, "dataset/radiology_text_reports");
    make_dir(root, "dataset/multi_abnormality_labels");
    make_dir(root, "dataset/metadata");
    for (int s = 0; s < 2; s++) {
        rvl_str_add(&out.reports[s], "VolumeName,ClinicalInformation_EN,Technique_EN,Findings_EN,Impressions_EN\n");
        rvl_str_add(&out.labels[s], "VolumeName");
        for (int f = 0; f < RVL_THORAX_N_FINDINGS; f++) {
            const char *title = rvl_schema_at(schema, f)->title;
            rvl_str_addf(&out.labels[s], ",%c%s", title[0] >= 'a' ? title[0] - 32 : title[0], title + 1);
        }
        rvl_str_add(&out.labels[s], "\n");
        for (int i = 0; i < N_METADATA; i++)
            rvl_str_addf(&out.metadata[s], "%s%s", metadata_names[i], i + 1 < N_METADATA ? "," : "\n");
    }
    for (int64_t i = 0; i < n; i++) {
        rvl_thorax_case    c;
        rvl_phantom_report report;
        char               volume[64];

        rvl_thorax_case_make(&c, 1, i, SIZE, 2, NULL);
        must(rvl_thorax_report_write(&report, &c, &err), &err);
        for (int r = 0; r < c.n_recons; r++) {
            int is_valid = c.patient % 4 == 3;

            snprintf(volume, sizeof volume, "%s_%lld_%c_%d.nii.gz", is_valid ? "valid" : "train",
                     (long long)c.patient + 1, c.index == c.patient ? 'a' : 'b', r + 1);
            c.recons[r].round_field = false; /* or the two versions differ by their padding */
            c.recons[r].pixel_mm = floor(64 * c.recons[r].pixel_mm) / 64; /* exact in float32 and in the table */
            c.recons[r].slice_mm = floor(64 * c.recons[r].slice_mm) / 64;
            write_volume(&out, &c, r, is_valid);
            add_report(&out.reports[is_valid], volume, &report, i);
        }
        rvl_phantom_report_fini(&report);
    }
    save_text(&out.reports[0], root, "dataset/radiology_text_reports/train_reports.csv");
    save_text(&out.reports[1], root, "dataset/radiology_text_reports/validation_reports.csv");
    save_text(&out.labels[0], root, "dataset/multi_abnormality_labels/train_predicted_labels.csv");
    save_text(&out.labels[1], root, "dataset/multi_abnormality_labels/valid_predicted_labels.csv");
    save_text(&out.metadata[0], root, "dataset/metadata/train_metadata.csv");
    save_text(&out.metadata[1], root, "dataset/metadata/validation_metadata.csv");
    rvl_schema_free(schema);
}

/** Array "ct", deflated. */
static void save_npz(const rvl_volume *v, const char *folder, const char *name)
{
    char          *path = rvl_path_join(folder, name);
    rvl_str        npy = {0};
    char           head[118];
    int            n, code = 0;
    zip_t         *zip;
    zip_source_t  *source;
    const uint16_t n_head = sizeof head;

    n = snprintf(head, sizeof head, "{'descr': '<i2', 'fortran_order': False, 'shape': (%lld, %lld, %lld), }",
                 (long long)v->depth, (long long)v->height, (long long)v->width);
    memset(head + n, ' ', sizeof head - (size_t)n - 1);
    head[sizeof head - 1] = '\n';
    rvl_str_add_n(&npy, "\x93NUMPY\x01\x00", 8);
    rvl_str_add_n(&npy, &n_head, 2);
    rvl_str_add_n(&npy, head, sizeof head);
    rvl_str_add_n(&npy, v->voxels, (size_t)(v->depth * v->height * v->width) * 2);
    if (!path || npy.failed || !(zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code)))
        exit(1);
    source = zip_source_buffer(zip, npy.ptr, npy.n_bytes, 0);
    if (!source || zip_file_add(zip, "ct.npy", source, ZIP_FL_ENC_UTF_8) < 0 || zip_close(zip) != 0)
        exit(1);
    rvl_str_free(&npy);
    rvl_free(path);
}

static void make_rad_chestct(const char *root, int64_t n)
{
    static const char *const files[3] = {"imgtrain_Abnormality_and_Location_Labels.csv",
                                         "imgvalid_Abnormality_and_Location_Labels.csv",
                                         "imgtest_Abnormality_and_Location_Labels.csv"};
    static const char *const letters[3] = {"trn", "val", "tst"}, *const sets[3] = {"train", "valid", "test"};
    static const char *const places[3] = {"left_lung", "right_lung", "other_location"};
    /* findings of the phantom that are abnormalities here; hernia and calcification are last, nodulegr1cm a decoy */
    static const char *const names[] = {"emphysema",
                                        "atelectasis",
                                        "nodule",
                                        "opacity",
                                        "fibrosis",
                                        "pleural_effusion",
                                        "bronchial_wall_thickening",
                                        "consolidation",
                                        "bronchiectasis",
                                        "septal_thickening",
                                        "cardiomegaly",
                                        "pericardial_effusion",
                                        "hernia",
                                        "calcification",
                                        "nodulegr1cm"};
    static const int         from[] = {RVL_THORAX_EMPHYSEMA,
                                       RVL_THORAX_ATELECTASIS,
                                       RVL_THORAX_NODULE,
                                       RVL_THORAX_OPACITY,
                                       RVL_THORAX_FIBROTIC_SEQUELA,
                                       RVL_THORAX_PLEURAL_EFFUSION,
                                       RVL_THORAX_PERIBRONCHIAL,
                                       RVL_THORAX_CONSOLIDATION,
                                       RVL_THORAX_BRONCHIECTASIS,
                                       RVL_THORAX_SEPTAL,
                                       RVL_THORAX_CARDIOMEGALY,
                                       RVL_THORAX_PERICARDIAL_EFFUSION,
                                       RVL_THORAX_HIATAL_HERNIA,
                                       RVL_THORAX_CORONARY_CALCIFICATION,
                                       -1};
    rvl_str                  tables[3] = {{0}}, summary = {0};
    rvl_error                err = {0};

    make_dir(root, "");
    rvl_str_add(&summary, "MRN_DEID,NoteAcc_DEID,Set_Assigned,Subset_Assigned\n");
    for (int s = 0; s < 3; s++) {
        rvl_str_add(&tables[s], "NoteAcc_DEID");
        for (size_t a = 0; a < RVL_ARRAY_LEN(names); a++)
            for (int p = 0; p < 3; p++)
                rvl_str_addf(&tables[s], ",%s*%s", names[a], places[p]);
        rvl_str_add(&tables[s], "\n");
    }
    for (int64_t i = 0; i < n; i++) {
        int             s = i % 5 == 3 ? 1 : i % 5 == 4 ? 2 : 0;
        char            name[32], file[40];
        rvl_thorax_case c;
        rvl_volume     *v = NULL;

        rvl_thorax_case_make(&c, 1, i, SIZE, 1, NULL);
        c.recons[0].round_field = false;
        must(rvl_thorax_render(&v, NULL, &c, &c.recons[0], &err), &err);
        for (int64_t j = 0; j < v->depth * v->height * v->width; j++) {
            int16_t *x = (int16_t *)v->voxels + j;
            *x = *x < -1000 ? -1000 : *x > 1000 ? 1000 : *x;
        }
        snprintf(name, sizeof name, "%s%05lld", letters[s], (long long)i + 1);
        snprintf(file, sizeof file, "%s.npz", name);
        save_npz(v, root, file);
        rvl_volume_free(v);
        rvl_str_addf(&summary, "MRN%lld,%s,%s,img%s\n", (long long)(i - (i % 5 == 1)), name, sets[s], sets[s]);
        rvl_str_add(&tables[s], name);
        for (size_t a = 0; a < RVL_ARRAY_LEN(names); a++)
            for (int p = 0; p < 3; p++)
                rvl_str_addf(&tables[s], ",%d", from[a] < 0 ? 1 : c.truth[from[a]].present && p == (int)(i % 3));
        rvl_str_add(&tables[s], "\n");
    }
    for (int s = 0; s < 3; s++)
        save_text(&tables[s], root, files[s]);
    save_text(&summary, root, "Summary_3630.csv");
}

int main(int argc, char **argv)
{
    int64_t n = 0;

    if (argc != 4 || !rvl_parse_i64(argv[3], &n) || n < 1 || n > 10000)
        return 2;
    if (strcmp(argv[1], "ct-rate") == 0 || strcmp(argv[1], "ct-rate-v1") == 0)
        make_ct_rate(argv[2], argv[1][7] != 0, n);
    else if (strcmp(argv[1], "rad-chestct") == 0)
        make_rad_chestct(argv[2], n);
    else
        return 2;
    return 0;
}
