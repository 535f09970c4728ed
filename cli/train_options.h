/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/train_options.h
 * The options that pretrain and align share, and what they print at the end.
 */
#ifndef RVL_CLI_TRAIN_OPTIONS_H
#define RVL_CLI_TRAIN_OPTIONS_H
#include "cli/cli.h"
#include "rvl/verbs.h"

/** Rows of the option table over `o` (an rvl_train_opts lvalue). */
#define TRAIN_INPUT_OPTIONS(o)                                                                                         \
    OPT_GROUP("inputs"), OPT_ARG("COHORT", &(o).cohort, "folder made by `rvl ingest`"),                                \
        OPT_STR("split", 0, &(o).split, "NAME", "split to train on; several by commas [train]"),                       \
        OPT_STR("val-split", 0, &(o).val_split, "NAME", "split that chooses the best checkpoint; \"\" is none [val]")

#define TRAIN_RECIPE_OPTIONS(o)                                                                                        \
    OPT_GROUP("training"), OPT_INT("epochs", 0, &(o).epochs, "passes over the split [30]"),                            \
        OPT_INT("steps", 0, &(o).steps, "optimizer steps in place of --epochs; 0 goes by epochs [0]"),                 \
        OPT_INT("batch-size", 0, &(o).batch_size, "studies an optimizer step sees [16]"),                              \
        OPT_INT("micro-batch", 0, &(o).micro_batch, "studies held at once; BatchNorm groups [batch size]"),            \
        OPT_REAL("lr", &(o).lr, "peak learning rate [3e-4]"),                                                          \
        OPT_REAL("lr-min", &(o).lr_min, "where the cosine ends [0]"),                                                  \
        OPT_REAL("lr-head", &(o).lr_head, "that of what stands on the towers [as --lr]"),                              \
        OPT_REAL("wd", &(o).weight_decay, "weight decay [0.05]"), OPT_REAL("beta1", &(o).beta1, "AdamW [0.9]"),        \
        OPT_REAL("beta2", &(o).beta2, "AdamW [0.98]"),                                                                 \
        OPT_REAL("warmup", &(o).warmup, "share of the steps with rising learning rate [0.05]"),                        \
        OPT_REAL("clip-grad", &(o).clip_grad, "largest gradient norm; 0 is none [1]"),                                 \
        OPT_FLAG("augment", 0, &(o).augment, "small rotations, shifts, gain, noise [yes]"),                            \
        OPT_FLAG("crop-only", 0, &(o).crop_only, "of these only random crops, where the pack is larger"),              \
        OPT_FLAG("deterministic", 0, &(o).deterministic, "the same bytes on this machine and build"),                  \
        OPT_INT("memory-limit", 0, &(o).memory_limit_mib, "MiB a step's plan may take [none]"), OPT_GROUP("run"),      \
        OPT_STR("name", 0, &(o).name, "NAME", "run folder under --runs [date and time]"),                              \
        OPT_STR("runs", 0, &(o).runs, "DIR", "folder of the runs [runs]"),                                             \
        OPT_MAYBE("resume", &(o).resume, "STEP", "continue the latest complete checkpoint, or step-N"),                \
        OPT_INT("log-every", 0, &(o).log_every, "steps between log lines [10]"),                                       \
        OPT_INT("eval-every", 0, &(o).eval_every, "epochs between evaluations [1]"),                                   \
        OPT_INT("save-every", 0, &(o).save_every, "steps between checkpoints within an epoch [none]"),                 \
        OPT_INT("keep-last", 0, &(o).keep_last, "checkpoints that stay, besides the best [3]"),                        \
        OPT_INT("keep-every", 0, &(o).keep_every, "checkpoints at multiples of N steps stay [none]")

#define TRAIN_TOWER_OPTIONS(o)                                                                                         \
    OPT_GROUP("image_tower"),                                                                                          \
        OPT_STR("image-tower", 0, &(o).image_tower, "MODEL", "start from a run, bundle or weight file [random]"),      \
        OPT_STR("allow-missing", 0, &(o).allow_missing, "KEYS", "prefixes of keys that file may lack [none]"),         \
        OPT_STR("arch", 0, &(o).arch, "NAME",                                                                          \
                "by name: docs/howto/towers.md lists them; \"\" is by sizes [by sizes]"),                              \
        OPT_INT("patch", 0, &(o).patch, "side of a vision transformer's patches [16]"),                                \
        OPT_STR("image-pooling", 0, &(o).image_pooling, "KIND", "of a vision transformer: cls or mean [cls]"),         \
        OPT_INT("in-channels", 0, &(o).in_channels, "channels that it reads, 1 or 3; an image has one [1]"),           \
        OPT_FLAG("sum-channels", 0, &(o).sum_channels, "read one where that file's tower reads several"),              \
        OPT_INT("width", 0, &(o).width, "of a ResNet: channels of the first stage [16]"),                              \
        OPT_STR("depth", 0, &(o).depth, "BLOCKS", "per stage, or resnet18, resnet34, resnet50 [2,2,2,2]"),             \
        OPT_FLAG("bottleneck", 0, &(o).bottleneck, "bottleneck blocks"),                                               \
        OPT_INT("stem-kernel", 0, &(o).stem_kernel, "side of the first convolution [7]"),                              \
        OPT_INT("stem-stride", 0, &(o).stem_stride, "its stride [2]"),                                                 \
        OPT_FLAG("stem-pool", 0, &(o).stem_pool, "max-pool behind it [yes]")

#define TRAIN_IMAGE_RATE_OPTIONS(o)                                                                                    \
    OPT_FLAG("lock-image", 0, &(o).lock_image, "freeze the image tower"),                                              \
        OPT_REAL("lr-image", &(o).lr_image, "peak learning rate of the image tower [as --lr]")

/** Over `o`, an rvl_text_tower_opts lvalue. */
#define TRAIN_TEXT_TOWER_OPTIONS(o)                                                                                    \
    OPT_GROUP("text_tower"),                                                                                           \
        OPT_STR("text-tower", 0, &(o).text_tower, "MODEL", "start from a run, bundle or weight file [random]"),        \
        OPT_FLAG("lock-text", 0, &(o).lock_text, "freeze the text tower"),                                             \
        OPT_REAL("lr-text", &(o).lr_text, "peak learning rate of the text tower [as --lr]"),                           \
        OPT_STR("vocabulary", 0, &(o).vocabulary, "FILE", "WordPiece tokens, one a line [learned from the reports]"),  \
        OPT_INT("vocabulary-size", 0, &(o).vocabulary_size, "tokens when learned [1000]"),                             \
        OPT_INT("text-layers", 0, &(o).text_layers, "transformer layers [2]"),                                         \
        OPT_INT("text-width", 0, &(o).text_width, "hidden width [128]"),                                               \
        OPT_INT("text-heads", 0, &(o).text_heads, "attention heads [4]"),                                              \
        OPT_INT("max-tok", 0, &(o).max_tok, "longest text in tokens [64]"),                                            \
        OPT_REAL("dropout", &(o).dropout, "in the text tower [0.1]"),                                                  \
        OPT_STR("pooling", 0, &(o).pooling, "KIND", "cls, mean, last4 or pooler [mean]")

/** Common options' values into `o`; keeps the resolved configuration's text, to be freed by cli_train_release. False
 *  (the exit code is set) if sizes are given beside --arch, which says them all. */
bool cli_train_take(rvl_cli *cli, rvl_train_opts *o);
void cli_train_release(rvl_train_opts *o);
/** Print the result; `next` is the command to suggest. Returns the exit code. */
int  cli_train_print(rvl_cli *cli, const rvl_train_opts *o, const rvl_train_result *r, const char *next);

#endif /* RVL_CLI_TRAIN_OPTIONS_H */
