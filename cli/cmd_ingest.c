/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/cmd_ingest.c
 * rvl ingest: images and reports into a cohort.
 */
#include "base/json.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cohort/cohort.h"
#include <stdio.h>
#include <string.h>

static const struct {
    const char *key;
    size_t      offset;
} rows[] = {
    {"rows", offsetof(rvl_ingest_result, n_rows)},
    {"patients", offsetof(rvl_ingest_result, n_patients)},
    {"studies", offsetof(rvl_ingest_result, n_studies)},
    {"images", offsetof(rvl_ingest_result, n_images)},
    {"reports", offsetof(rvl_ingest_result, n_reports)},
    {"labels", offsetof(rvl_ingest_result, n_labels)},
    {"failed", offsetof(rvl_ingest_result, n_failed)},
    {"done_before", offsetof(rvl_ingest_result, n_skipped_done)},
    {"flat_images", offsetof(rvl_ingest_result, n_flat)},
    {"empty_reports", offsetof(rvl_ingest_result, n_empty_reports)},
    {"patients_across_splits", offsetof(rvl_ingest_result, leak_patients)},
    {"pixels_across_splits", offsetof(rvl_ingest_result, leak_pixels)},
    {"texts_across_splits", offsetof(rvl_ingest_result, leak_texts)},
    {"duplicate_pixels", offsetof(rvl_ingest_result, duplicate_pixels)},
    {"duplicate_texts", offsetof(rvl_ingest_result, duplicate_texts)},
};

static int64_t value_of(const rvl_ingest_result *r, size_t i)
{
    int64_t v;
    memcpy(&v, (const char *)r + rows[i].offset, sizeof v);
    return v;
}

static int print_result(rvl_cli *cli, const rvl_ingest_result *r)
{
    if (cli->json) {
        json_t *j = json_object();
        rvl_json_set(j, "schema", json_string("rvl.ingest/1"));
        for (size_t i = 0; i < RVL_ARRAY_LEN(rows); i++)
            rvl_json_set(j, rows[i].key, json_integer(value_of(r, i)));
        return cli_print_json(cli, j);
    }
    for (size_t i = 0; i < RVL_ARRAY_LEN(rows); i++)
        printf("%-24s%lld\n", rows[i].key, (long long)value_of(r, i));
    return 0;
}

static bool parse_ratio(double out[3], const char *text)
{
    double part[3] = {0, 0, 0};
    int    n = 0;
    for (const char *c = text; n < 3; n++) {
        double value = 0;
        if (*c < '0' || *c > '9')
            return false;
        for (; *c >= '0' && *c <= '9'; c++)
            value = 10 * value + (*c - '0');
        part[n] = value;
        if (*c == '\0') {
            n++;
            break;
        }
        if (*c++ != '/')
            return false;
    }
    double sum = part[0] + part[1] + part[2];
    if (n != 3 || sum <= 0)
        return false;
    for (int i = 0; i < 3; i++)
        out[i] = part[i] / sum;
    return true;
}

static bool parse_shard(rvl_ingest_opts *o, const char *text)
{
    const char *slash = strchr(text, '/');
    char        part[8] = "";
    int64_t     i = 0, n = 0;

    if (!slash || slash == text || (size_t)(slash - text) >= sizeof part)
        return false;
    memcpy(part, text, (size_t)(slash - text));
    if (!rvl_parse_i64(part, &i) || !rvl_parse_i64(slash + 1, &n) || i < 1 || i > n || n > 10000)
        return false;
    o->shard = (int)i;
    o->n_shards = (int)n;
    return true;
}

/* The result, what was written (`o` NULL: nothing was), the exit code. */
static int end_result(rvl_cli *cli, const rvl_ingest_result *r, const rvl_ingest_opts *o)
{
    int code = print_result(cli, r);

    if (code)
        return code;
    if (o && o->n_shards > 0)
        cli_done(cli,
                 "wrote shard %d/%d of %s: %lld images, %lld failed; next: the others, then the same without --shard",
                 o->shard, o->n_shards, o->out_path, (long long)r->n_images, (long long)r->n_failed);
    else if (o)
        cli_done(cli, "%s %s: %lld images, %lld failed%s; next: rvl pretrain %s", o->dry_run ? "would write" : "wrote",
                 o->out_path, (long long)r->n_images, (long long)r->n_failed,
                 r->n_failed ? " (see failures.jsonl)" : "", o->out_path);
    return r->n_failed > 0 ? 5 : 0;
}

/* Combinations without effect; the exit code is set. */
static bool is_excluded(rvl_cli *cli, bool has_check, bool check_cohort, bool has_folds)
{
    return cli_excludes(cli, check_cohort, "--check of a cohort (without -o)",
                        (const char *const[]){"map", "modality", "preset", "unit", "depth", "height", "width",
                                              "split-ratio", "folds", "seed", "limit", "force", "dry-run", "keep-phi",
                                              "crosswalk", "file-seconds", "file-mib", "workers", NULL}) ||
           cli_excludes(
               cli, cli->dry_run, "--dry-run",
               (const char *const[]){"check", "shard", "crosswalk", "file-seconds", "file-mib", "workers", NULL}) ||
           cli_excludes(cli, has_check, "--check", (const char *const[]){"shard", NULL}) ||
           cli_excludes(cli, has_folds, "--folds", (const char *const[]){"split-ratio", NULL});
}

/* Ingest, check, or both. */
static int carry_out(rvl_cli *cli, const rvl_ingest_opts *o, bool check, bool check_cohort)
{
    rvl_ingest_result r = {0};
    rvl_error         err = {0};
    rvl_status        st = check_cohort ? RVL_OK : rvl_cohort_ingest(&r, o, &err);

    if (!st && check) {
        st = rvl_cohort_check(&r, check_cohort ? o->folder : o->out_path, &err);
        if (st == RVL_ERR_STATE) {
            print_result(cli, &r);
            cli_fail(cli, &err);
            return cli->exit_code = 10;
        }
    }
    if (st)
        return cli_fail(cli, &err);
    return end_result(cli, &r, check_cohort ? NULL : o);
}

int cmd_ingest(int argc, char **argv, rvl_cli *cli)
{
    rvl_ingest_opts o = {0};
    const char     *ratio = NULL, *modality = NULL;
    const char     *shard = NULL;
    int64_t         folds = 0;
    bool            check = false;
    const cli_opt   opts[] = {
          OPT_GROUP("inputs"),
          OPT_ARG("FOLDER", &o.folder, "folder that the map's paths are relative to; with --check alone, a cohort"),
          OPT_STR("map", 0, &o.map_path, "FILE",
                  "YAML that says which columns mean what [FOLDER/map.yaml, else DICOM headers]"),
          OPT_STR("modality", 0, &modality, "NAME", "without a map: cxr, mg or ct [what most files are]"),
          OPT_GROUP("cohort"),
          OPT_STR("preset", 0, &o.preset, "NAME", "a dataset (ct-rate, rad-chestct), a grid (ct-tiny), or DATASET,GRID"),
          OPT_STR("unit", 0, &o.unit, "UNIT", "of CT values: auto, hu, raw or hu/1000 [the map's]"),
          OPT_INT("depth", 0, &o.depth, "slices of the model's grid [the map's, else 1]"),
          OPT_INT("height", 0, &o.height, "rows of the model's grid [the map's, else 64]"),
          OPT_INT("width", 0, &o.width, "columns of the model's grid [the map's, else 64]"),
          OPT_STR("split-ratio", 0, &ratio, "A/B/C", "train/val/test by patient [the map's split column, else 80/10/10]"),
          OPT_INT("folds", 0, &folds, "make N folds by patient instead of splits [none]"),
          OPT_STR("shard", 0, &shard, "I/N", "only prepare part I of N; without it, parts are put together [all]"),
          OPT_FLAG("check", 0, &check, "verify packs, references, duplicates and leakage"),
          OPT_GROUP("privacy"),
          OPT_FLAG("keep-phi", 0, &o.keep_phi, "keep identifiers, dates and image paths as they are"),
          OPT_STR("crosswalk", 0, &o.crosswalk, "FILE",
                  "the way back to identifiers, outside the cohort [COHORT.crosswalk.csv]"),
          OPT_GROUP("decoding"),
          OPT_REAL("file-seconds", &o.max_file_seconds, "time that one file may take in its worker process [10]"),
          OPT_INT("file-mib", 0, &o.max_file_mib, "memory that one file may take there [1024]"),
          OPT_INT("workers", 0, &o.n_workers, "files decoded at a time [the processors, at most 16]"),
          OPT_END,
    };

    if (!cli_parse(cli, CLI_OUTPUT | CLI_SEED | CLI_DRY_RUN | CLI_FORCE | CLI_LIMIT | CLI_JSON | CLI_PROGRESS, opts,
                   argc, argv))
        return cli->exit_code;
    bool check_cohort = check && !cli->output;
    if (is_excluded(cli, check, check_cohort, folds != 0))
        return cli->exit_code;
    if (modality && (o.modality = rvl_modality_parse(modality)) == RVL_MODALITY_UNKNOWN)
        return cli_usage(cli, "--modality is cxr, mg or ct, not '%s'", modality);
    if (ratio && !parse_ratio(o.split_ratio, ratio))
        return cli_usage(cli, "--split-ratio wants three whole numbers like 80/10/10, not '%s'", ratio);
    if (shard && !parse_shard(&o, shard))
        return cli_usage(cli, "--shard wants part and number of parts like 3/8, not '%s'", shard);
    if (!cli->output && !check_cohort)
        return cli_usage(cli, "no folder was given for the cohort\nhint: -o COHORT");
    o.out_path = cli->output;
    o.seed = (uint64_t)cli->seed;
    o.limit = cli->limit;
    o.dry_run = cli->dry_run, o.force = cli->force;
    o.n_folds = (int)folds;
    return carry_out(cli, &o, check, check_cohort);
}
