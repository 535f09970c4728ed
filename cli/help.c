/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/help.c
 * Help texts, all from the command and option tables; topics of `rvl help`.
 */
#include "base/embedded.h"
#include "base/str.h"
#include "cli/cli.h"
#include <stdio.h>
#include <string.h>

static void print_option(const cli_opt *o)
{
    char left[48];
    switch (o->kind) {
    case CLI_OPT_ARG:
        snprintf(left, sizeof left, "      %s", o->name);
        break;
    case CLI_OPT_ARGS:
        snprintf(left, sizeof left, "      %s...", o->name);
        break;
    case CLI_OPT_FLAG:
        if (o->short_name)
            snprintf(left, sizeof left, "  -%c, --%s", o->short_name, o->name);
        else
            snprintf(left, sizeof left, "      --%s", o->name);
        break;
    case CLI_OPT_MAYBE:
        snprintf(left, sizeof left, "      --%s[=%s]", o->name, o->metavar);
        break;
    default:
        if (o->short_name)
            snprintf(left, sizeof left, "  -%c, --%s %s", o->short_name, o->name, o->metavar);
        else
            snprintf(left, sizeof left, "      --%s %s", o->name, o->metavar);
    }
    printf("%-30s%s%s\n", left, strlen(left) >= 30 ? " " : "", o->help);
}

static bool is_short_common(const cli_opt *o)
{
    static const char *const shown[] = {"model", "output", "json", "seed", "dry-run", "force", NULL};
    for (int i = 0; shown[i]; i++)
        if (strcmp(o->name, shown[i]) == 0)
            return true;
    return false;
}

void cli_help_verb(const rvl_cli *cli, const cli_opt *opts, bool full)
{
    const rvl_command *c = cli->command;
    bool               in_common = false;
    int                n_hidden = 0;

    printf("rvl %s - %s\n\n", c->name, c->summary);
    if (c->examples && *c->examples) {
        const char *line = c->examples;
        while (*line) {
            size_t n = strcspn(line, "\n");
            printf("  %.*s\n", (int)n, line);
            line += n + (line[n] == '\n');
        }
        printf("\n");
    }
    for (int i = 0; opts[i].kind != CLI_OPT_END; i++) {
        if (opts[i].kind == CLI_OPT_GROUP) {
            in_common = strcmp(opts[i].name, "common") == 0;
            printf("%s\n", opts[i].name);
        } else if (full || !in_common || is_short_common(&opts[i])) {
            print_option(&opts[i]);
        } else {
            n_hidden++;
        }
    }
    if (n_hidden > 0)
        printf("\n%d more with `rvl %s --help`.\n", n_hidden, c->name);
    printf("see also: rvl help config, docs/reference/cli/\n");
}

void cli_help_overview(void)
{
    const char *group = "";
    printf("rvl %s - radiology vision-language models\n\n", RVL_VERSION);
    for (int i = 0; cli_commands[i].name; i++) {
        const rvl_command *c = &cli_commands[i];
        if (strcmp(group, c->group) != 0)
            printf("%s\n", c->group);
        group = c->group;
        printf("  %-14s %s\n", c->name, c->summary);
    }
    printf("\nquick start, without patient data:\n"
           "  rvl synth images -n 200 -o raw && rvl ingest raw -o cohort\n"
           "  rvl pretrain cohort --name pre && rvl align cohort --image-tower runs/pre --name clip\n"
           "  rvl bench cohort -m runs/clip --suite retrieval,zeroshot --split test\n\n"
           "help: rvl <verb> -h, rvl help <topic>; topics: quickstart config presets exit-codes formats shapes\n"
           "Research only: not a medical device.\n");
}

static void help_exit_codes(void)
{
    printf("code  meaning\n"
           "   0  success\n"
           "   1  failed at run time (none of the below)\n"
           "   2  wrong usage or configuration, or not possible in this state\n"
           "   3  input not found or empty\n"
           "   4  input damaged or not supported\n"
           "   5  partly done: some cases failed; the list is in failures.jsonl\n"
           "   6  file system: permission, disk full\n"
           "   7  out of memory\n"
           "   8  device or build lacks what was asked\n"
           "   9  numbers: NaN, divergence\n"
           "  10  a check did not hold (--check, --min)\n"
           "  70  internal error, please report\n"
           " 130  interrupted, state saved\n");
}

static const struct {
    const char *name, *text;
} topics[] = {
    {"quickstart", "Phantom chest radiographs, no patient data needed:\n\n"
                   "  rvl synth images -n 1000 -o raw            draw radiographs with truth and reports\n"
                   "  rvl ingest raw -o cohort                   read, split by patient, pack at the model's grid\n"
                   "  rvl pretrain cohort --name pre             image encoder from labels\n"
                   "  rvl align cohort --image-tower runs/pre --name clip\n"
                   "  rvl zeroshot -m runs/clip cohort --split test\n"
                   "  rvl embed -m runs/clip cohort -o clip.safetensors\n"
                   "  rvl search clip.safetensors --text \"left pleural effusion\" -k 5\n"
                   "  rvl bench cohort -m runs/clip --suite retrieval,zeroshot --split test\n"},
    {"config", "Every option has a key `section.name`: its heading in the help and its long name with\n"
               "underscores, e.g. training.batch_size. Later layers win:\n\n"
               "  built-in < --preset NAME < --config FILE < environment RVL_NAME < --set section.name=value < flag\n\n"
               "A file is YAML: sections with keys under them; `extends: FILE` takes another file first.\n"
               "Unknown keys are errors. A run folder's config.yaml is fully resolved: feeding it back\n"
               "with --config repeats the run.\n"},
    {"formats", "cohort   folder: cohort.db (SQLite), packs/<hash>/, cases-<split>.txt, failures.jsonl\n"
                "bundle   .safetensors with architecture, preprocessing, tokenizer, schema in its metadata\n"
                "run      folder: run.json config.yaml train.jsonl eval.jsonl ckpt/ report.html\n"
                "index    .safetensors with embeddings and case ids, made by `rvl embed`\n"
                "results  JSON with a schema name and version, and one page of HTML\n"
                "Byte by byte: docs/formats/\n"},
    {"shapes", "N batch, C channel, O output channel, D H W slices rows columns, T tokens,\n"
               "E embedding, Q heads, L layers, K classes or k of top-k. Slowest axis first.\n"},
};

/** "configs/ct-seed-align" as a line: its verb, its name and the first sentence of the comment that it begins with. */
static void print_recipe(const rvl_embedded *e, const char *verb)
{
    const char *name = e->name + strlen("configs/");
    char        line[100] = "";
    size_t      n = 0;

    for (const char *c = e->text; *c && n < sizeof line - 1; c++) {
        if (c[0] == '\n' && c[1] != '#')
            break;
        if (*c == '#' || (*c == ' ' && c[-1] == '#'))
            continue;
        line[n++] = *c == '\n' ? ' ' : *c;
        if ((*c == '.' || *c == ':') && (c[1] == ' ' || c[1] == '\n' || c[1] == '\0'))
            break;
    }
    line[n] = '\0';
    if (n > 0 && (line[n - 1] == ':' || line[n - 1] == '.'))
        line[n - 1] = '\0';
    printf("  %-10s--preset %-14.*s%s%s\n", verb, (int)(strlen(name) - strlen(verb) - 1), name, line,
           n == sizeof line - 1 ? "..." : "");
}

static void help_presets(void)
{
    static const char *const verbs[] = {"pretrain", "align"};

    printf("Recipes that come with rvl, as files of options; what is given besides wins (rvl help config):\n\n");
    for (size_t v = 0; v < RVL_ARRAY_LEN(verbs); v++)
        for (const rvl_embedded *e = rvl_embedded_files; e->name; e++)
            if (rvl_str_starts(e->name, "configs/") && rvl_str_ends(e->name, verbs[v]))
                print_recipe(e, verbs[v]);
    printf(
        "\nGrids of volumes for `rvl ingest --preset NAME` (depth x height x width; spacing along x, y, z):\n\n"
        "  ct-tiny   48 x 96 x 96, 3.5 x 3.5 x 7 mm, -1000..200 HU\n"
        "  ct-seed   crops of 96 x 192 x 192 from 120 x 240 x 240, 1.5 x 1.5 x 3 mm, -1000..200 HU (MPS-CT, GreenRFM)\n"
        "  ct-clip   240 x 480 x 480, 0.75 x 0.75 x 1.5 mm, -1000..1000 HU (CT-CLIP)\n");
}

int cli_help_topic(const char *topic)
{
    if (strcmp(topic, "presets") == 0) {
        help_presets();
        return 0;
    }
    if (strcmp(topic, "exit-codes") == 0) {
        help_exit_codes();
        return 0;
    }
    for (size_t i = 0; i < RVL_ARRAY_LEN(topics); i++)
        if (strcmp(topics[i].name, topic) == 0) {
            fputs(topics[i].text, stdout);
            return 0;
        }
    return -1;
}
