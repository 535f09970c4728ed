/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/scan.c
 * Walk, read headers in workers, write a table in memory. Rows come in the order of the paths; a series stands where
 * its first file does.
 */
#define _XOPEN_SOURCE 700 /* lstat */
#include "cohort/scan.h"
#include "base/alloc.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/log.h"
#include "base/util.h"
#include "cohort/names.h"
#include "imaging/decode_header.h"
#include <string.h>
#include <sys/stat.h>

#define MAX_DEPTH 32
#define MAX_FILES ((int64_t)10 << 20)

typedef struct {
    const char       *path; /* below the folder */
    const char       *problem;
    int64_t           i_series; /* of CT: number among series; -1 */
    rvl_decode_header header;
} scan_file;

typedef struct {
    const char  *folder;
    rvl_arena   *arena;
    const char **paths;
    size_t       n_files, capacity;
    scan_file   *files;
    rvl__names   series;
    rvl_str     *members; /* [series.n] paths joined by line ends */
    rvl_modality modality;
    bool         keep_phi;
    rvl_decoder *decoder;
} scan;

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "cannot read the folder: out of memory");
}

static rvl_status path_add(scan *s, const char *path, rvl_error *err)
{
    if (s->n_files >= (size_t)MAX_FILES)
        return rvl_fail(err, RVL_ERR_LIMIT, "'%s' holds more than %lld files", s->folder, (long long)MAX_FILES);
    if (s->n_files == s->capacity) {
        const size_t wanted = s->capacity ? 2 * s->capacity : 256;
        const char **grown = rvl_realloc_array(s->paths, wanted, sizeof *grown);
        if (!grown)
            return no_memory(err);
        s->paths = grown;
        s->capacity = wanted;
    }
    s->paths[s->n_files] = rvl_arena_strndup(s->arena, path, strlen(path));
    return s->paths[s->n_files++] ? RVL_OK : no_memory(err);
}

/* `below` is "" or a folder in the scanned one. */
static rvl_status walk(scan *s, const char *below, int depth, rvl_error *err)
{
    rvl_dir_names list = {0};
    char         *folder = *below ? rvl_path_join(s->folder, below) : rvl_strdup(s->folder);
    rvl_status    st = folder ? rvl_dir_list(&list, folder, err) : no_memory(err);

    for (size_t i = 0; !st && i < list.n_names; i++) {
        struct stat info;
        char       *name = rvl_path_join(below, list.names[i]);
        char       *full = name ? rvl_path_join(s->folder, name) : NULL;
        if (!full)
            st = no_memory(err);
        else if (lstat(full, &info) == 0 && S_ISDIR(info.st_mode) && depth < MAX_DEPTH)
            st = walk(s, name, depth + 1, err);
        else if (lstat(full, &info) == 0 && S_ISREG(info.st_mode))
            st = path_add(s, name, err);
        rvl_free(full);
        rvl_free(name);
    }
    rvl_dir_names_free(&list);
    rvl_free(folder);
    return st;
}

/* Why a file is no row that can be taken; its own texts are kept out of it, they may be anything. */
static const char *header_problem(const scan *s, const rvl_decode_header *h, const char *path)
{
    if (!h->has_pixels)
        return "a DICOM file without pixels";
    if (h->modality == RVL_MODALITY_UNKNOWN)
        return "a DICOM file of another modality or body part than chest radiograph, mammogram or CT";
    if (h->has_burned_in && !s->keep_phi)
        return "its header says that text is burned into the picture, which may name the patient\nhint: --keep-phi "
               "takes it";
    if (strchr(path, '\n') || !rvl_utf8_valid(path, strlen(path), NULL))
        return "its path holds a line end, or is not UTF-8";
    if (h->modality != RVL_MODALITY_CT && h->is_multi_frame)
        return "several frames are not one picture";
    return NULL;
}

static rvl_status file_finish(scan *s, size_t i, int slot, rvl_error *err)
{
    scan_file *f = &s->files[i];
    rvl_error  why = {0};
    rvl_status st = rvl_decoder_finish_header(&f->header, s->decoder, slot, &why);

    f->i_series = -1;
    if (st == RVL_ERR_NOMEM)
        return rvl_fail(err, st, "%s", why.text);
    if (st)
        f->problem = rvl_arena_strndup(s->arena, why.text, strlen(why.text));
    else
        f->problem = header_problem(s, &f->header, f->path);
    return st && !f->problem ? no_memory(err) : RVL_OK;
}

static rvl_status read_headers(scan *s, rvl_error *err)
{
    const size_t n_slots = (size_t)rvl_decoder_slots(s->decoder);
    char        *full[RVL_WORKERS_MAX] = {NULL};
    rvl_status   st = RVL_OK;

    rvl_progress_begin("ingest", "headers", (int64_t)s->n_files);
    for (size_t i = 0, n_begun = 0; !st && i < s->n_files; i++) {
        for (; !st && n_begun < s->n_files && n_begun < i + n_slots; n_begun++) {
            char **path = &full[n_begun % n_slots];
            rvl_free(*path);
            *path = rvl_path_join(s->folder, s->paths[n_begun]);
            s->files[n_begun].path = s->paths[n_begun];
            if (*path)
                rvl_decoder_start_header(s->decoder, (int)(n_begun % n_slots), *path, "...");
            else
                st = no_memory(err);
        }
        if (!st)
            st = file_finish(s, i, (int)(i % n_slots), err);
        if (!st && rvl_cancel_requested())
            st = rvl_fail(err, RVL_ERR_CANCELLED, "interrupted while headers were read");
        rvl_progress_update((int64_t)i + 1, 0);
    }
    rvl_progress_end();
    for (size_t i = 0; i < n_slots; i++)
        rvl_free(full[i]);
    return st;
}

static void choose_modality(scan *s)
{
    int64_t n[RVL_MODALITY_MG + 1] = {0};

    for (size_t i = 0; i < s->n_files && s->modality == RVL_MODALITY_UNKNOWN; i++)
        n[s->files[i].header.modality] += !s->files[i].problem;
    for (int m = RVL_MODALITY_UNKNOWN + 1; m <= RVL_MODALITY_MG; m++)
        if (n[m] > 0 && (s->modality == RVL_MODALITY_UNKNOWN || n[m] > n[s->modality]))
            s->modality = (rvl_modality)m;
}

/* Slices of one series become one row. */
static rvl_status group_series(scan *s, rvl_error *err)
{
    rvl_status st = RVL_OK;

    for (size_t i = 0; !st && i < s->n_files; i++) {
        scan_file *f = &s->files[i];
        bool       is_new;
        if (!f->problem && f->header.modality != s->modality)
            f->problem = "an image of another modality than this cohort's\nhint: --modality chooses";
        if (f->problem || s->modality != RVL_MODALITY_CT)
            continue;
        const char *name = f->header.series_uid[0] ? f->header.series_uid : f->path;
        st = rvl__names_add(&f->i_series, &is_new, &s->series, name, err);
    }
    if (st || s->series.n == 0)
        return st;
    s->members = rvl_alloc_array((size_t)s->series.n, sizeof *s->members);
    if (!s->members)
        return no_memory(err);
    for (size_t i = 0; i < s->n_files; i++) {
        const int64_t k = s->files[i].i_series;
        if (k >= 0)
            rvl_str_addf(&s->members[k], "%s%s", s->members[k].n_bytes ? "\n" : "", s->files[i].path);
    }
    return RVL_OK;
}

static void add_field(rvl_str *out, const char *text)
{
    rvl_csv_add_field(out, text);
    rvl_str_add(out, ",");
}

/* A path that is not UTF-8 cannot stand in a table: its bytes are written out. */
static void add_path(rvl_str *out, const char *path)
{
    rvl_str safe = {0};

    for (const char *c = path; *c; c++) {
        if ((unsigned char)*c < 0x80 && *c != '\n')
            rvl_str_add_n(&safe, c, 1);
        else
            rvl_str_addf(&safe, "%%%02X", (unsigned)(unsigned char)*c);
    }
    out->failed = out->failed || safe.failed;
    add_field(out, rvl_utf8_valid(path, strlen(path), NULL) || !safe.ptr ? path : safe.ptr);
    rvl_str_free(&safe);
}

static bool table_write(rvl_str *out, scan *s)
{
    int64_t n_taken = 0;

    rvl_str_add(out, "image,patient,study,series,accession,view,sex,age,date,files,problem\n");
    for (size_t i = 0; i < s->n_files; i++) {
        const scan_file         *f = &s->files[i];
        const rvl_decode_header *h = &f->header;
        rvl_str                 *members = f->i_series >= 0 ? &s->members[f->i_series] : NULL;
        if (members && members->n_bytes == 0) /* its series has had its row */
            continue;
        const char *study = h->study_uid[0] ? h->study_uid : f->path;
        add_path(out, f->path);
        add_field(out, f->problem ? "" : h->patient_id[0] ? h->patient_id : study);
        add_field(out, f->problem ? "" : study);
        add_field(out, f->problem ? "" : h->series_uid);
        add_field(out, f->problem ? "" : h->accession);
        add_field(out, h->view == RVL_VIEW_UNKNOWN ? "" : rvl_view_text(h->view));
        add_field(out, h->sex);
        add_field(out, h->age);
        add_field(out, h->date);
        add_field(out, members ? members->ptr : "");
        rvl_csv_add_field(out, f->problem ? f->problem : "");
        rvl_str_add(out, "\n");
        n_taken += !f->problem;
        if (members)
            rvl_str_clear(members);
    }
    return n_taken > 0;
}

static rvl_status map_make(rvl__map *out, scan *s, rvl_error *err)
{
    rvl_str    table = {0}, map = {0};
    const bool is_any = table_write(&table, s);
    rvl_status st = RVL_OK;

    rvl_str_addf(&map,
                 "table: headers\nmodality: %s\nbody_part: %s\ncolumns: {image: image, patient: patient, study: study, "
                 "series: series, accession: accession, view: view, sex: sex, age: age, date: date}\n",
                 rvl_modality_text(s->modality), s->modality == RVL_MODALITY_MG ? "breast" : "chest");
    for (int64_t i = 0; i < s->series.n; i++)
        table.failed = table.failed || s->members[i].failed;
    if (!is_any)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND,
                      "'%s' has no map.yaml, and none of its %zu files is a DICOM radiograph, mammogram or CT slice\n"
                      "hint: write one (docs/formats/map.md) or give --map",
                      s->folder, s->n_files);
    else if (table.failed || map.failed)
        st = no_memory(err);
    else
        st = rvl__map_make(out, map.ptr, rvl_str_take(&table), err);
    rvl_str_free(&map);
    rvl_str_free(&table);
    return st;
}

rvl_status rvl__scan_folder(rvl__map *out, const char *folder, rvl_modality modality, bool keep_phi,
                            const rvl_worker_opts *limits, rvl_error *err)
{
    scan       s = {.folder = folder, .modality = modality, .keep_phi = keep_phi};
    rvl_status st = RVL_OK;

    *out = (rvl__map){0};
    s.arena = rvl_arena_new();
    st = s.arena ? walk(&s, "", 0, err) : no_memory(err);
    if (!st && !(s.files = rvl_alloc_array(s.n_files + 1, sizeof *s.files)))
        st = no_memory(err);
    if (!st)
        st = rvl_decoder_open(&s.decoder, limits, err);
    if (!st)
        st = read_headers(&s, err);
    rvl_decoder_close(s.decoder);
    if (!st) {
        choose_modality(&s);
        st = group_series(&s, err);
    }
    if (!st)
        st = map_make(out, &s, err);
    for (int64_t i = 0; s.members && i < s.series.n; i++)
        rvl_str_free(&s.members[i]);
    rvl_free(s.members);
    rvl__names_fini(&s.series);
    rvl_free(s.files);
    rvl_free(s.paths);
    rvl_arena_free(s.arena);
    return st;
}
