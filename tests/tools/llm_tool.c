/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/tools/llm_tool.c
 * For shell tests: "gguf FILE" writes the tiny model; "serve K FILE" runs the misbehaving server for K findings, writes
 * its port into FILE and ends with its standard input.
 */
#include "llm_server.h"
#include "tiny_gguf.h"

int main(int argc, char **argv)
{
    static llm_server server;
    rvl_str           s = {0};
    char              c;

    if (argc == 3 && strcmp(argv[1], "gguf") == 0) {
        s = tiny_gguf(8192);
        const rvl_status st = rvl_file_write(argv[2], s.ptr, s.n_bytes, NULL);
        rvl_str_free(&s);
        return st != RVL_OK;
    }
    if (argc != 4 || strcmp(argv[1], "serve") != 0)
        return 2;
    server_start(&server, (int)strtol(argv[2], NULL, 10));
    rvl_str_addf(&s, "%d", server.port);
    if (rvl_file_write(argv[3], s.ptr, s.n_bytes, NULL))
        return 1;
    while (read(STDIN_FILENO, &c, 1) > 0)
        ;
    fprintf(stderr, "%d requests\n", (int)server.n_requests);
    server_stop(&server);
    rvl_str_free(&s);
    return 0;
}
