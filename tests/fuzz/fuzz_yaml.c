/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_yaml.c
 * Any bytes as YAML: refused, or a tree that can be walked and read.
 */
#include "base/util.h"
#include "base/yaml.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const rvl_yaml *node)
{
    static const char *const none[] = {NULL};
    size_t                   n = strlen(node->text);
    int64_t                  i;
    double                   f;

    RVL_ASSERT(node->line >= 1);
    if (node->kind == RVL_YAML_MAP) {
        rvl_status st = rvl_yaml_check_keys(node, none, NULL);
        RVL_ASSERT((st == RVL_OK) == (node->n_items == 0));
    }
    for (size_t j = 0; j < node->n_items; j++) {
        n += walk(node->items[j]);
        if (node->kind != RVL_YAML_MAP)
            continue;
        RVL_ASSERT(rvl_yaml_get(node, node->keys[j]) == node->items[j]);
        if (rvl_yaml_read_i64(&i, node, node->keys[j], NULL) == RVL_OK)
            RVL_ASSERT(rvl_yaml_read_f64(&f, node, node->keys[j], NULL) == RVL_OK);
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rvl_yaml_doc *doc;
    rvl_error     err = {0};

    if (rvl_yaml_parse(&doc, (const char *)data, size, "fuzz", &err))
        return 0;
    (void)walk(rvl_yaml_root(doc));
    rvl_yaml_free(doc);
    return 0;
}
