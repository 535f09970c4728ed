/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_pickle.c
 * Any bytes as a pickle of torch.save: refused, or a value whose members can be read.
 */
#include "engine/torch_pickle.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rvl_arena      *arena = rvl_arena_new();
    rvl_pickle      pickle;
    rvl_error       err = {0};
    volatile size_t sink = 0;

    if (arena && !rvl__pickle_parse(&pickle, arena, (rvl_span){data, size}, "fuzz", &err)) {
        for (const rvl_pickle_storage *s = pickle.storages; s; s = s->next)
            sink += strlen(s->key);
        (void)rvl__pickle_get(pickle.root, "state_dict");
        if (pickle.root->kind == RVL_PICKLE_STR)
            sink += strlen(pickle.root->u.text);
    }
    (void)sink;
    rvl_arena_free(arena);
    return 0;
}
