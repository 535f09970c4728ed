/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/cmd_search.c
 * rvl search: nearest cases by text, image or case.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "cli/cmd.h"
#include "rvl/verbs.h"
#include <stdio.h>

static int print_json(rvl_cli *cli, const rvl_hits *h)
{
    json_t *root = json_object();
    json_t *hits = json_array();
    for (int i = 0; i < h->n; i++) {
        json_t *hit = json_object();
        rvl_json_set(hit, "case", json_string(h->case_ids[i]));
        rvl_json_set(hit, "score", rvl_json_real(h->scores[i]));
        rvl_json_set(hit, "snippet", json_string(h->snippets[i]));
        json_array_append_new(hits, hit);
    }
    rvl_json_set(root, "schema", json_string("rvl.search/1"));
    rvl_json_set(root, "similarity", json_string(h->similarity));
    rvl_json_set(root, "hits", hits);
    return cli_print_json(cli, root);
}

static int print_table(rvl_cli *cli, const rvl_hits *h)
{
    const size_t n = (size_t)(h->n + 1) * 4;
    const char **cells = rvl_alloc_array(n, sizeof *cells);
    char(*text)[2][16] = rvl_alloc_array((size_t)h->n + 1, sizeof *text);
    rvl_error err = {0};

    if (!cells || !text) {
        rvl_free(cells);
        rvl_free(text);
        rvl_fail(&err, RVL_ERR_NOMEM, "out of memory for the table");
        return cli_fail(cli, &err);
    }
    cells[0] = "rank";
    cells[1] = "case";
    cells[2] = h->similarity;
    cells[3] = "report";
    for (int i = 0; i < h->n; i++) {
        const char **row = cells + 4 * ((size_t)i + 1);
        snprintf(text[i][0], sizeof text[i][0], "%d", i + 1);
        snprintf(text[i][1], sizeof text[i][1], "%.4f", h->scores[i]);
        row[0] = text[i][0];
        row[1] = h->case_ids[i];
        row[2] = text[i][1];
        row[3] = h->snippets[i];
    }
    cli_print_table(cli, h->n + 1, 4, cells);
    rvl_free(cells);
    rvl_free(text);
    return 0;
}

int cmd_search(int argc, char **argv, rvl_cli *cli)
{
    rvl_search_opts o = {.target = "image", .k = 10};
    rvl_hits       *h = NULL;
    rvl_error       err = {0};
    const cli_opt   opts[] = {
          OPT_GROUP("inputs"),
          OPT_ARG("INDEX", &o.index, "made by `rvl embed`"),
          OPT_STR("text", 0, &o.text, "TEXT", "sentence to look for"),
          OPT_STR("image", 0, &o.image, "FILE", "image to look for"),
          OPT_STR("like", 0, &o.like, "CASE", "case of the index to look for"),
          OPT_STR("target", 0, &o.target, "KIND", "rank images or texts [image]"),
          OPT_INT("top", 'k', &o.k, "cases to return [10]"),
          OPT_MAYBE("html", &o.html, "FILE", "write a contact sheet [search.html]"),
          OPT_END,
    };

    if (!cli_parse(cli, CLI_MODEL | CLI_JSON | CLI_TSV | CLI_FORCE | CLI_DEVICE, opts, argc, argv))
        return cli->exit_code;
    if (cli_excludes(cli, o.like != NULL, "--like", (const char *const[]){"model", "force", NULL}) ||
        cli_excludes(cli, o.text != NULL, "--text", (const char *const[]){"force", NULL}))
        return cli->exit_code;
    o.model = cli->model;
    o.force = cli->force;
    if (o.html && !*o.html)
        o.html = "search.html";
    if (rvl_search_run(&h, &o, &err))
        return cli_fail(cli, &err);
    int code = cli->json ? print_json(cli, h) : print_table(cli, h);
    if (!code && o.html)
        cli_done(cli, "wrote %s", o.html);
    rvl_hits_free(h);
    return code;
}
