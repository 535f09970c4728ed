/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/tools/make_volumes.c
 * make_volumes FOLDER N: small CT volumes with table and map, for tests of the program.
 */
#include "volume_fixture.h"
#include <stdlib.h>

int main(int argc, char **argv)
{
    int64_t n = 0;

    if (argc != 3 || !rvl_parse_i64(argv[2], &n) || n < 1 || n > 10000)
        return 2;
    return rvl_dir_make(argv[1], NULL) == RVL_OK && chest_folder(argv[1], (int)n) ? 0 : 1;
}
