/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/replay.c
 * Runs a fuzz target over every file of its corpus folder, without libFuzzer: any compiler, any sanitizer.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE    *f = fopen(path, "rb");
    uint8_t *data = NULL;
    long     n = 0;

    if (!f)
        return 0;
    if (fseek(f, 0, SEEK_END) == 0 && (n = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0) {
        data = malloc((size_t)n + 1); /* exact bound for the sanitizer is the last byte read */
        if (data && fread(data, 1, (size_t)n, f) == (size_t)n)
            LLVMFuzzerTestOneInput(data, (size_t)n);
    }
    free(data);
    fclose(f);
    return 1;
}

int main(int argc, char **argv)
{
    int n_files = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return 2;
    }
    DIR *dir = opendir(argv[1]);
    if (!dir) {
        fprintf(stderr, "cannot open corpus folder '%s'\n", argv[1]);
        return 1;
    }
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        char path[4096];
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
        n_files += replay_file(path);
    }
    closedir(dir);
    printf("%d corpus files replayed\n", n_files);
    return n_files > 0 ? 0 : 1;
}
