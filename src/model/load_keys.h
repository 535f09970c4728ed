/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/load_keys.h
 * Moving tensors of a file into a model: which keys it expects, which the file has, what to say about the rest.
 */
#ifndef RVL_MODEL_LOAD_KEYS_H
#define RVL_MODEL_LOAD_KEYS_H
#include "engine/weight_file.h"
#include "model/model.h"

#define RVL__VISUAL_PREFIX "visual."
#define RVL__KEY_NAME_BYTES 256

/** How names of the model map to names of the file. */
typedef struct {
    const char *model_prefix;  /* only weights and state under it are loaded ("visual.", or "" for all) */
    const char *file_prefix;   /* what stands instead of it in the file ("", "bert.", "visual.") */
    const char *allow_missing; /* comma-separated starts of names, NULL or "" for none */
    bool        video_names;   /* the file has torchvision's names of video ResNets (model/video_names.h); with an
                                empty prefix behind "visual." */
    bool        old_norms;     /* accept LayerNorm.gamma and .beta (first BERT releases) for .weight and .bias */
    const char *stem;          /* the weight of a one-channel tower that reads the channels, else NULL */
    bool        sum_channels;  /* sum its kernels over the channels that the file has */
    const char *positions; /* learned positions (1, 1 + rows * columns, E) that may come from another grid, or NULL */
    int64_t     file_grid[2]; /* rows and columns in the file; zeros: not known, a square where the count differs */
    int64_t     model_grid[2];
} rvl_key_map;

/**
 * Convert every matching tensor to f32 and give it to the params or state of `m`, which has a configuration and none
 * of these weights yet. `report` is always filled. FORMAT, naming the first key and the counts, if a key is missing
 * or misshapen and not allowed to; then `m` got nothing. Keys of the file under `file_prefix` that the model has no
 * place for are counted as unexpected. What is summed or resampled counts as matched too. Allowed missing keys stay
 * absent: rvl_model_materialize makes them.
 */
RVL_MUST_USE rvl_status rvl__load_keys(rvl_model *m, const rvl_weight_file *file, const char *path,
                                       const rvl_key_map *map, rvl_load_report *report, rvl_error *err);

#endif /* RVL_MODEL_LOAD_KEYS_H */
