/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/banned.h
 * Calls the library does not use become compile errors. Include it last: system headers name them too.
 */
#ifndef RVL_BASE_BANNED_H
#define RVL_BASE_BANNED_H

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok atoi atol atof
#pragma GCC poison scanf sscanf fscanf gmtime localtime rand srand system popen tmpnam  mktemp

#endif /* RVL_BASE_BANNED_H */
