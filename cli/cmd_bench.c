/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/cmd_bench.c
 * rvl bench: every metric, with intervals.
 */
#include "base/json.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "rvl/plan.h"
#include "rvl/verbs.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static void cell(char *out, size_t n_bytes, const json_t *v)
{
    const double value = json_is_number(v) ? json_number_value(v) : rvl_json_get_f64(v, "value", NAN);
    const double low = rvl_json_get_f64(v, "low", NAN);
    if (!isfinite(value))
        snprintf(out, n_bytes, "-");
    else if (!isfinite(low))
        snprintf(out, n_bytes, "%.3f", value);
    else
        snprintf(out, n_bytes, "%.3f (%.3f-%.3f)", value, low, rvl_json_get_f64(v, "high", NAN));
}

static void print_findings(const rvl_cli *cli, const json_t *part, const char *title)
{
    enum { COLUMNS = 6, MAX_ROWS = 132 };
    static const char *const keys[] = {"auroc", "ap", "f1", "precision", "recall"};
    static const char *const macros[] = {"macro_auroc", "trained_macro_auroc", "withheld_macro_auroc", "macro_ap"};
    static char              text[MAX_ROWS * COLUMNS][40];
    const char              *cells[MAX_ROWS * COLUMNS] = {title, "AUROC", "AP", "F1", "precision", "recall"};
    size_t                   n = 1;
    size_t                   i;
    json_t                  *f;

    json_array_foreach(json_object_get(part, "findings"), i, f)
    {
        if (n >= MAX_ROWS - 4)
            break;
        snprintf(text[n * COLUMNS], sizeof text[0], "%.30s%s", rvl_json_get_string(f, "name", ""),
                 rvl_json_get_bool(f, "withheld", false) ? " *" : "");
        for (int c = 0; c < COLUMNS - 1; c++)
            cell(text[n * COLUMNS + (size_t)c + 1], sizeof text[0], json_object_get(f, keys[c]));
        for (size_t c = 0; c < COLUMNS; c++)
            cells[n * COLUMNS + c] = text[n * COLUMNS + c];
        n++;
    }
    for (size_t m = 0; m < RVL_ARRAY_LEN(macros); m++, n++) {
        cells[n * COLUMNS] = macros[m];
        cell(text[n * COLUMNS + 1], sizeof text[0], json_object_get(part, macros[m]));
        cells[n * COLUMNS + 1] = text[n * COLUMNS + 1];
        for (size_t c = 2; c < COLUMNS; c++)
            cells[n * COLUMNS + c] = "";
    }
    cli_print_table(cli, (int)n, COLUMNS, cells);
    printf("\n");
}

/* Macros over named sets of classes, each column a number of a dialect. */
static void print_class_sets(const rvl_cli *cli, const json_t *part)
{
    enum { COLUMNS = 12, MAX_ROWS = 8 };
    static const char *const columns[][2] = {{"", "macro_auroc"},
                                             {"fvlm", "macro_auroc"},
                                             {"ct_clip", "macro_accuracy"},
                                             {"ct_clip", "macro_f1_weighted"},
                                             {"ct_clip", "macro_precision"},
                                             {"vlm3d", "macro_precision"},
                                             {"vlm3d", "macro_recall"},
                                             {"vlm3d", "macro_f1"},
                                             {"vlm3d", "macro_accuracy"},
                                             {"vlm3d", "crg"}};
    char                     text[MAX_ROWS * COLUMNS][40];
    const char              *cells[MAX_ROWS * COLUMNS] = {
                     "class set",      "n",         "AUROC",     "[fvlm]",     "acc [ct-clip]", "wF1 [ct-clip]",
                     "prec [ct-clip]", "P [vlm3d]", "R [vlm3d]", "F1 [vlm3d]", "acc [vlm3d]",   "CRG"};
    size_t  n = 1;
    size_t  i;
    json_t *set;

    json_array_foreach(json_object_get(part, "class_sets"), i, set)
    {
        if (n == MAX_ROWS)
            break;
        cells[n * COLUMNS] = rvl_json_get_string(set, "name", "");
        snprintf(text[n * COLUMNS + 1], sizeof text[0], "%lld", (long long)rvl_json_get_i64(set, "n_classes", 0));
        for (size_t c = 0; c < RVL_ARRAY_LEN(columns); c++) {
            const json_t *from = *columns[c][0] ? json_object_get(set, columns[c][0]) : set;
            cell(text[n * COLUMNS + 2 + c], sizeof text[0], json_object_get(from, columns[c][1]));
        }
        for (size_t c = 1; c < COLUMNS; c++)
            cells[n * COLUMNS + c] = text[n * COLUMNS + c];
        n++;
    }
    if (n > 1)
        cli_print_table(cli, (int)n, COLUMNS, cells);
    printf("\n");
}

/* What the same table is without images. */
static void print_baselines(const rvl_cli *cli, const json_t *part)
{
    enum { COLUMNS = 7, ROWS = 4 };
    static const char *const rows[][2] = {{"", "model"}, {"constant", "constant"}, {"metadata", "metadata alone"}};
    static const char *const keys[] = {"macro_auroc",     "macro_ap",     "macro_f1",
                                       "macro_precision", "macro_recall", "macro_accuracy"};
    const json_t            *both = json_object_get(part, "baselines");
    char                     text[ROWS * COLUMNS][40];
    const char              *cells[ROWS * COLUMNS] = {"macro", "AUROC", "AP", "F1", "precision", "recall", "accuracy"};
    size_t                   n = 1;

    for (size_t i = 0; i < RVL_ARRAY_LEN(rows); i++) {
        const json_t *j = *rows[i][0] ? json_object_get(both, rows[i][0]) : part;
        if (!j)
            continue;
        cells[n * COLUMNS] = rows[i][1];
        for (size_t c = 0; c < RVL_ARRAY_LEN(keys); c++) {
            cell(text[n * COLUMNS + c + 1], sizeof text[0], json_object_get(j, keys[c]));
            cells[n * COLUMNS + c + 1] = text[n * COLUMNS + c + 1];
        }
        n++;
    }
    if (both) {
        cli_print_table(cli, (int)n, COLUMNS, cells);
        printf("\n");
    }
}

/* Of the measured cases, how many another part holds too. */
static void print_audit(const rvl_cli *cli, const json_t *audit)
{
    enum { COLUMNS = 5, MAX_ROWS = 6 };
    static const char *const keys[] = {"ids", "patients", "pixels", "texts"};
    char                     text[MAX_ROWS * COLUMNS][24];
    const char              *cells[MAX_ROWS * COLUMNS] = {"shared with", "cases", "patients", "pixels", "texts"};
    size_t                   n = 1;
    size_t                   i;
    json_t                  *one;

    json_array_foreach(json_object_get(audit, "shared"), i, one)
    {
        if (n == MAX_ROWS)
            break;
        cells[n * COLUMNS] = rvl_json_get_string(one, "with", "");
        for (size_t c = 0; c < RVL_ARRAY_LEN(keys); c++) {
            const json_t *v = json_object_get(one, keys[c]);
            snprintf(text[n * COLUMNS + c + 1], sizeof text[0], "%s", v ? "" : "-");
            if (v)
                snprintf(text[n * COLUMNS + c + 1], sizeof text[0], "%lld", (long long)json_integer_value(v));
            cells[n * COLUMNS + c + 1] = text[n * COLUMNS + c + 1];
        }
        n++;
    }
    if (n > 1) {
        cli_print_table(cli, (int)n, COLUMNS, cells);
        printf("\n");
    }
}

static void print_retrieval(const rvl_cli *cli, const json_t *part)
{
    enum { COLUMNS = 10, GALLERIES = 4, ROWS = 1 + 2 * GALLERIES };
    static const char *const keys[] = {"recall_at_1",  "recall_at_5",   "recall_at_10",
                                       "recall_at_50", "recall_at_100", "median_rank"};
    static const char *const galleries[GALLERIES][2] = {
        {"", "diagonal"}, {"unique", "unique"}, {"duplicates", "duplicates"}, {"ct_clip", "[ct-clip]"}};
    static const char *const directions[][2] = {{"image_to_text", "image->text"}, {"text_to_image", "text->image"}};
    char                     text[ROWS * COLUMNS][40];
    const char              *cells[ROWS * COLUMNS] = {"direction", "gallery",   "pool",       "recall@1",    "recall@5",
                                                      "recall@10", "recall@50", "recall@100", "median rank", "chance@10"};
    size_t                   n = 1;

    for (size_t d = 0; d < 2; d++) {
        for (size_t g = 0; g < GALLERIES; g++, n++) {
            const json_t *j = json_object_get(part, directions[d][0]);
            if (*galleries[g][0])
                j = json_object_get(j, galleries[g][0]);
            cells[n * COLUMNS] = directions[d][1];
            cells[n * COLUMNS + 1] = galleries[g][1];
            snprintf(text[n * COLUMNS + 2], sizeof text[0], "%lld",
                     (long long)rvl_json_get_i64(part, g == 1 ? "n_unique_texts" : "pool", 0));
            for (size_t c = 0; c < RVL_ARRAY_LEN(keys); c++)
                cell(text[n * COLUMNS + 3 + c], sizeof text[0], json_object_get(j, keys[c]));
            cell(text[n * COLUMNS + 9], sizeof text[0], json_object_get(j, "chance_at_10"));
            for (size_t c = 2; c < COLUMNS; c++)
                cells[n * COLUMNS + c] = text[n * COLUMNS + c];
        }
    }
    cli_print_table(cli, (int)n, COLUMNS, cells);
}

static void print_maps(const rvl_cli *cli, const json_t *part)
{
    enum { COLUMNS = 9, ROWS = 8 };
    static const char *const rows[][5] = {{"image_to_text", "duplicates", "image->text", "equal text", "map_at"},
                                          {"text_to_image", "duplicates", "text->image", "equal text", "map_at"},
                                          {"image_to_image", "any", "image->image", "any finding", "map_at"},
                                          {"image_to_image", "exact", "image->image", "same findings", "map_at"},
                                          {"image_to_image", "jaccard", "image->image", "Jaccard mean", "jaccard_at"},
                                          {"image_to_image", "spectre", "image->image", "[spectre]", "map_at"},
                                          {"image_to_image", "ct_clip", "image->image", "[ct-clip]", "map_at"}};
    static const int         cuts[] = {1, 5, 10, 50};
    char                     text[ROWS * COLUMNS][40];
    const char              *cells[ROWS * COLUMNS] = {"direction", "relevant", "pool",   "queries",  "mAP@1",
                                                      "mAP@5",     "mAP@10",   "mAP@50", "chance@10"};
    size_t                   n = 1;

    for (size_t i = 0; i < RVL_ARRAY_LEN(rows); i++) {
        const json_t   *direction = json_object_get(part, rows[i][0]);
        const json_t   *j = json_object_get(direction, rows[i][1]);
        const long long pool = rvl_json_get_i64(direction, "pool", rvl_json_get_i64(part, "pool", 0));
        const json_t   *chance = json_object_get(j, "map_chance_at_10");
        if (!j)
            continue;
        if (!chance) /* a Jaccard mean's does not depend on the cut; [ct-clip] has a floor */
            chance = json_object_get(j, json_object_get(j, "jaccard_chance") ? "jaccard_chance" : "map_floor_at_10");
        snprintf(text[n * COLUMNS + 2], sizeof text[0], "%lld", pool);
        snprintf(text[n * COLUMNS + 3], sizeof text[0], "%lld", (long long)rvl_json_get_i64(j, "n_queries", pool));
        for (size_t c = 0; c < RVL_ARRAY_LEN(cuts); c++) {
            char key[32];
            snprintf(key, sizeof key, "%s_%d", rows[i][4], cuts[c]);
            cell(text[n * COLUMNS + 4 + c], sizeof text[0], json_object_get(j, key));
        }
        cell(text[n * COLUMNS + 8], sizeof text[0], chance);
        for (size_t c = 0; c < COLUMNS; c++)
            cells[n * COLUMNS + c] = c < 2 ? rows[i][2 + c] : text[n * COLUMNS + c];
        n++;
    }
    printf("\n");
    cli_print_table(cli, (int)n, COLUMNS, cells);
}

static void print_tables(const rvl_cli *cli, const json_t *root)
{
    static const char *const parts[] = {"zeroshot", "supervised", "predictions"};
    for (size_t i = 0; i < RVL_ARRAY_LEN(parts); i++)
        if (json_object_get(root, parts[i])) {
            print_findings(cli, json_object_get(root, parts[i]), parts[i]);
            print_class_sets(cli, json_object_get(root, parts[i]));
            print_baselines(cli, json_object_get(root, parts[i]));
        }
    print_audit(cli, json_object_get(root, "audit"));
    if (json_object_get(root, "retrieval")) {
        if (json_object_get(json_object_get(root, "retrieval"), "image_to_text"))
            print_retrieval(cli, json_object_get(root, "retrieval"));
        print_maps(cli, json_object_get(root, "retrieval"));
    }
}

/* "zeroshot.macro_auroc=0.9": the value at the path must reach the bound. An undefined value does not. */
static int check_min(rvl_cli *cli, const json_t *root, const char *rule)
{
    char          path[128];
    const json_t *at = root;
    const char   *equals = strchr(rule, '=');
    double        bound = 0;

    if (!equals || (size_t)(equals - rule) >= sizeof path || !rvl_parse_f64(equals + 1, &bound))
        return cli_usage(cli, "--min wants part.metric=value, like zeroshot.macro_auroc=0.9, not '%s'", rule);
    snprintf(path, sizeof path, "%.*s", (int)(equals - rule), rule);
    for (char *word = path; word && at;) {
        char *dot = strchr(word, '.');
        if (dot)
            *dot = '\0';
        at = json_object_get(at, word);
        word = dot ? dot + 1 : NULL;
    }
    const json_t *found = json_is_object(at) ? json_object_get(at, "value") : at;
    if (!found || json_is_object(found) || json_is_array(found))
        return cli_usage(cli, "--min: the result has no number '%.*s'\nhint: --json shows the names",
                         (int)(equals - rule), rule);
    double value = json_is_number(found) ? json_number_value(found) : NAN;
    if (value >= bound)
        return 0;
    fprintf(stderr, "rvl: check failed: %s is %.4f\n", rule, value);
    return cli->exit_code = 10;
}

static int print_result(rvl_cli *cli, const char *text, const char *min_rule)
{
    rvl_error err = {0};
    json_t   *root = NULL;

    if (rvl_json_parse(&root, text, strlen(text), "bench result", &err))
        return cli_fail(cli, &err);
    if (cli->json)
        printf("%s\n", text);
    else
        print_tables(cli, root);
    int code = min_rule ? check_min(cli, root, min_rule) : 0;
    json_decref(root);
    return code;
}

/* Options without effect together; nonzero after telling. */
static int check_options(rvl_cli *cli, const rvl_bench_opts *o)
{
    if (cli_excludes(cli, o->predictions != NULL, "--predictions",
                     (const char *const[]){"split", "val-split", "suite", "prompts", "predictions-out", "limit",
                                           "pairs", "similarity", "train-split", NULL}) ||
        cli_excludes(
            cli, o->image_embeddings != NULL, "--image-embeddings",
            (const char *const[]){"split", "val-split", "suite", "prompts", "predictions-out", "limit", "map", NULL}) ||
        cli_excludes(cli, o->image_embeddings != NULL && !o->predictions, "--image-embeddings",
                     (const char *const[]){"train-split", "train-labels", "metadata", NULL}) ||
        cli_excludes(cli, o->cohort != NULL, "a cohort",
                     (const char *const[]){"labels", "val-predictions", "val-labels", "text-embeddings", "pairs",
                                           "similarity", "train-labels", NULL}))
        return cli->exit_code;
    if (o->n_bootstrap < 0)
        return cli_usage(cli, "--bootstrap is not negative");
    return 0;
}

int cmd_bench(int argc, char **argv, rvl_cli *cli)
{
    rvl_bench_opts o = rvl_bench_opts_default();
    rvl_error      err = {0};
    char          *text = NULL;
    const char    *min_rule = NULL;
    const cli_opt  opts[] = {
         OPT_GROUP("inputs"),
         OPT_ARG_MAYBE("COHORT", &o.cohort, "folder made by `rvl ingest`"),
         OPT_STR("split", 0, &o.split, "NAME", "split to measure on; several by commas [test]"),
         OPT_STR("val-split", 0, &o.val_split, "NAME", "split that thresholds are chosen on [val]"),
         OPT_STR("train-split", 0, &o.train_split, "NAME", "split that the baselines are fitted on [train]"),
         OPT_STR("metadata", 0, &o.metadata, "CSV",
                 "for the metadata baseline: an id, then a column each [cohort's own]"),
         OPT_STR("suite", 0, &o.suite, "A,B", "supervised, zeroshot, retrieval [what the model can]"),
         OPT_STR("prompts", 0, &o.prompts, "SCHEMA", "schema or YAML file, @SET for other sentences [the model's]"),
         OPT_STR("uncertain", 0, &o.uncertain, "POLICY", "ignore, present or absent [ignore]"),
         OPT_STR("missing", 0, &o.missing, "POLICY", "findings not mentioned: ignore or absent [absent]"),
         OPT_STR("group", 0, &o.group, "HOW", "volumes of one scan count once: scan (mean), scan-first [each]"),
         OPT_STR("map", 0, &o.map, "NAME", "CT-RATE's classes as rad-chestct-16 or rad-chestct-15 [as they are]"),
         OPT_GROUP("elsewhere"),
         OPT_STR("predictions", 0, &o.predictions, "CSV", "scores made elsewhere: id, then a column per finding"),
         OPT_STR("labels", 0, &o.labels, "CSV", "their truth: id, optional patient, the same columns"),
         OPT_STR("val-predictions", 0, &o.val_predictions, "CSV", "scores that thresholds are chosen on"),
         OPT_STR("val-labels", 0, &o.val_labels, "CSV", "their truth"),
         OPT_STR("train-labels", 0, &o.train_labels, "CSV", "labels that the baselines are fitted on [measured ones]"),
         OPT_STR("image-embeddings", 0, &o.image_embeddings, "FILE", "npy, npz, safetensors or CSV of shape (n, e)"),
         OPT_STR("text-embeddings", 0, &o.text_embeddings, "FILE", "the same; --labels alone measures images by images"),
         OPT_STR("pairs", 0, &o.pairs, "CSV", "image_row, text_row, optional id, patient, text [row by row]"),
         OPT_STR("similarity", 0, &o.similarity, "KIND", "cosine or dot [cosine]"),
         OPT_GROUP("output"),
         OPT_INT("bootstrap", 0, &o.n_bootstrap, "draws for the intervals [1000]"),
         OPT_STR("html", 0, &o.html, "FILE", "write one page with tables and plots"),
         OPT_STR("predictions-out", 0, &o.predictions_out, "CSV", "write every score"),
         OPT_STR("min", 0, &min_rule, "KEY=X", "exit 10 unless a value reaches X, e.g. zeroshot.macro_auroc=0.9"),
         OPT_END,
    };

    if (!cli_parse(cli, CLI_MODEL | CLI_JSON | CLI_TSV | CLI_SEED | CLI_LIMIT | CLI_DEVICE, opts, argc, argv))
        return cli->exit_code;
    if (check_options(cli, &o))
        return cli->exit_code;
    o.model = cli->model;
    o.seed = cli->seed;
    o.limit = cli->limit;
    o.threads = cli->threads;
    if (rvl_bench_run(&text, &o, &err))
        return cli_fail(cli, &err);
    int code = print_result(cli, text, min_rule);
    rvl_text_free(text);
    if (!code && o.html)
        cli_done(cli, "wrote %s", o.html);
    return code;
}
