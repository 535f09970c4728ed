/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/video_names.h
 * torchvision's names for its video ResNets (r3d_18), which nest a convolution and its BatchNorm in one module:
 * stem.0, stem.1, layer1.0.conv1.0, layer1.0.conv1.1. Ours are those of its image ResNets: conv1, bn1, layer1.0.conv1,
 * layer1.0.bn1. Names of downsample are the same in both.
 */
#ifndef RVL_MODEL_VIDEO_NAMES_H
#define RVL_MODEL_VIDEO_NAMES_H
#include "model/model.h"

/** Whether a bundle of this image tower is written under torchvision's video names: a ResNet of plain blocks in 3-D
 *  without a pool behind its stem is a torchvision VideoResNet. */
bool rvl__video_names_apply(const rvl_image_config *cfg);

/** `name` (without a prefix, in `size` bytes) from ours to torchvision's video name, or back. A name of neither kind
 *  stays. False if it does not fit. */
bool rvl__video_name_from_ours(char *name, size_t size);
bool rvl__video_name_to_ours(char *name, size_t size);

#endif /* RVL_MODEL_VIDEO_NAMES_H */
