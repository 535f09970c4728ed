/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/weight_file.h
 * Named tensors of a weight file, whatever wrote it: safetensors, an index of several files, or torch.save.
 *
 * Which format a file has is told by its bytes, not its name. Everything is checked on opening (engine/safetensors.h,
 * engine/torch_file.h); nothing in a file is executed. Names are those of the file.
 */
#ifndef RVL_ENGINE_WEIGHT_FILE_H
#define RVL_ENGINE_WEIGHT_FILE_H
#include "engine/safetensors.h"

typedef struct rvl_weight_file rvl_weight_file;
RVL_MUST_USE rvl_status        rvl_weight_file_open(rvl_weight_file **out, const char *path, rvl_error *err);
void                           rvl_weight_file_close(rvl_weight_file *f); /* tensors borrowed from it die */
/** "safetensors", "safetensors.index" (parts of any format), "torch.zip" or "torch.old". */
const char                    *rvl_weight_file_format(const rvl_weight_file *f);
int                            rvl_weight_file_count(const rvl_weight_file *f);
const char                    *rvl_weight_file_name(const rvl_weight_file *f, int i); /* in the file's order */
const rvl_tensor              *rvl_weight_file_tensor(const rvl_weight_file *f, int i);
/** NULL if there is no tensor of this name. */
const rvl_tensor              *rvl_weight_file_find(const rvl_weight_file *f, const char *name);
/** The file as safetensors, for its metadata; NULL if it has another format. Borrowed. */
const rvl_safetensors         *rvl_weight_file_safetensors(const rvl_weight_file *f);

#endif /* RVL_ENGINE_WEIGHT_FILE_H */
