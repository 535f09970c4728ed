/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/video_names.c
 * Names of video ResNets and ours.
 */
#include "model/video_names.h"
#include "base/str.h"
#include <stdio.h>
#include <string.h>

#define PIECE_BYTES 256

/** Put `with` for the `n` bytes of `name` at `at`. */
static bool replace(char *name, size_t size, size_t at, size_t n, const char *with)
{
    char rest[PIECE_BYTES];

    if (strlen(name + at + n) >= sizeof rest || at + strlen(with) + strlen(name + at + n) >= size)
        return false;
    snprintf(rest, sizeof rest, "%s", name + at + n);
    snprintf(name + at, size - at, "%s%s", with, rest);
    return true;
}

/** Where a block's own names begin in "layer1.0.conv1.weight": behind the second dot; 0 outside of blocks. */
static size_t block_begin(const char *name)
{
    const char *dot = rvl_str_starts(name, "layer") ? strchr(name, '.') : NULL;

    dot = dot ? strchr(dot + 1, '.') : NULL;
    return dot ? (size_t)(dot - name) + 1 : 0;
}

bool rvl__video_names_apply(const rvl_image_config *cfg)
{
    return cfg->kind == RVL_IMAGE_RESNET && cfg->n_spatial == 3 && !cfg->resnet.bottleneck && !cfg->resnet.stem_pool;
}

bool rvl__video_name_from_ours(char *name, size_t size)
{
    size_t at = block_begin(name);
    char   with[16];

    if (rvl_str_starts(name, "conv1."))
        return replace(name, size, 0, strlen("conv1."), "stem.0.");
    if (rvl_str_starts(name, "bn1."))
        return replace(name, size, 0, strlen("bn1."), "stem.1.");
    if (at > 0 && rvl_str_starts(name + at, "conv") && name[at + 4] && name[at + 5] == '.') {
        snprintf(with, sizeof with, "conv%c.0.", name[at + 4]);
        return replace(name, size, at, strlen("conv1."), with);
    }
    if (at > 0 && rvl_str_starts(name + at, "bn") && name[at + 2] && name[at + 3] == '.') {
        snprintf(with, sizeof with, "conv%c.1.", name[at + 2]);
        return replace(name, size, at, strlen("bn1."), with);
    }
    return true;
}

bool rvl__video_name_to_ours(char *name, size_t size)
{
    size_t at = block_begin(name);
    char   with[16];

    if (rvl_str_starts(name, "stem.0."))
        return replace(name, size, 0, strlen("stem.0."), "conv1.");
    if (rvl_str_starts(name, "stem.1."))
        return replace(name, size, 0, strlen("stem.1."), "bn1.");
    if (at == 0 || !rvl_str_starts(name + at, "conv") || !name[at + 4] || name[at + 5] != '.' ||
        (name[at + 6] != '0' && name[at + 6] != '1') || name[at + 7] != '.')
        return true;
    snprintf(with, sizeof with, name[at + 6] == '0' ? "conv%c." : "bn%c.", name[at + 4]);
    return replace(name, size, at, strlen("conv1.0."), with);
}
