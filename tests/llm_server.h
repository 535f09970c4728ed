/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/llm_server.h
 * A chat server that misbehaves: what a report says ("CASE slow then-good") is what its requests meet, one word a
 * request, the last word from then on. On 127.0.0.1, one thread a connection.
 *
 *   good       an answer that fits the request: present for every finding the report names as "HAS:<n>", else absent
 *   logprobs   the same with token probabilities 0.7 for what it says
 *   garbage    200 with no JSON        html     200 with a page
 *   wrongjson  200, JSON of another kind   empty   200 with nothing
 *   few many   too few values, too many    prose   words around the values
 *   length     cut by the token limit
 *   e500 e429 e400bound e401 e413   that status (429 with Retry-After: 1; 400 complains of "grammar", once bound)
 *   cut        the connection is cut in the middle    drop   before anything was said
 *   slow       nothing for three seconds
 */
#ifndef RVL_TESTS_LLM_SERVER_H
#define RVL_TESTS_LLM_SERVER_H
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SERVER_CASES 64

typedef struct {
    int             socket, port, n_values;
    pthread_t       thread;
    atomic_int      n_requests, n_open, n_open_most, n_with_key, n_bound, is_over;
    pthread_mutex_t lock;
    char            names[SERVER_CASES][128];
    int             counts[SERVER_CASES];
    double          last_429_s, first_after_429_s;
} llm_server;

typedef struct {
    llm_server *server;
    int         socket;
} llm_connection;

static inline double server_now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline void server_send(int s, const char *text)
{
    size_t at = 0;
    size_t n = strlen(text);
    while (at < n) {
        ssize_t sent = send(s, text + at, n - at, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        at += (size_t)sent;
    }
}

static inline void server_reply(int s, const char *status, const char *headers, const char *body)
{
    char head[256];
    snprintf(head, sizeof head, "HTTP/1.1 %s\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n", status, headers,
             strlen(body));
    server_send(s, head);
    server_send(s, body);
}

/* The whole request, a NUL behind it; NULL if it does not come. */
static inline char *server_read(int s)
{
    size_t size = 1 << 16;
    size_t n = 0;
    char  *text = malloc(size + 1);
    for (;;) {
        ssize_t got = recv(s, text + n, size - n, 0);
        if (got <= 0) {
            free(text);
            return NULL;
        }
        n += (size_t)got;
        text[n] = '\0';
        char *body = strstr(text, "\r\n\r\n");
        char *length = strstr(text, "Content-Length: ");
        if (body && length && n - (size_t)(body + 4 - text) >= strtoul(length + 16, NULL, 10))
            return text;
        if (n == size)
            text = realloc(text, (size *= 2) + 1);
    }
}

/* The word of this request: "CASE name w0 w1 w2." -> the count-th word. */
static inline void server_word(char *word, llm_server *v, const char *request)
{
    const char *at = strstr(request, "CASE ");
    char        words[128] = "";
    int         i = 0;
    strcpy(word, "good");
    if (!at)
        return;
    size_t n = strcspn(at, ".");
    snprintf(words, sizeof words, "%.*s", (int)(n < 127 ? n : 127), at);
    pthread_mutex_lock(&v->lock);
    while (i < SERVER_CASES - 1 && v->names[i][0] && strcmp(v->names[i], words) != 0)
        i++;
    strcpy(v->names[i], words);
    int count = v->counts[i]++;
    pthread_mutex_unlock(&v->lock);
    char *save = NULL;
    strtok_r(words, " ", &save);
    strtok_r(NULL, " ", &save);
    for (char *w = strtok_r(NULL, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        strcpy(word, w);
        if (count-- == 0)
            break;
    }
}

/* Values as a line, `n` of them: 1 for those the report has. With tokens and probabilities if asked for. */
static inline void server_answer(char *body, size_t size, const char *request, int n, bool has_logprobs,
                                 const char *before, const char *finish)
{
    char   content[4096];
    char   tokens[16384] = "";
    size_t at = (size_t)snprintf(content, sizeof content, "%s", before);
    size_t t = 0;
    for (int i = 0; i < n; i++) {
        char tag[32];
        snprintf(tag, sizeof tag, "HAS:%d ", i);
        bool has = strstr(request, tag) != NULL;
        at += (size_t)snprintf(content + at, sizeof content - at, "%s%d", i ? "," : "", has);
        t += (size_t)snprintf(
            tokens + t, sizeof tokens - t,
            "%s{\"token\": \"%s%d\", \"logprob\": -0.357, \"top_logprobs\": [{\"token\": \"%s%d\", "
            "\"logprob\": -0.35667}, {\"token\": \"%s%d\", \"logprob\": -1.60944}, {\"token\": \"%s-\", "
            "\"logprob\": -2.30259}]}",
            i ? ", " : "", i ? "," : "", has, i ? "," : "", has, i ? "," : "", !has, i ? "," : "");
    }
    snprintf(body, size,
             "{\"choices\": [{\"index\": 0, \"message\": {\"role\": \"assistant\", \"content\": \"%s\"}, "
             "\"finish_reason\": \"%s\"%s%s%s}], \"usage\": {\"prompt_tokens\": 100, \"completion_tokens\": 10}}",
             content, finish, has_logprobs ? ", \"logprobs\": {\"content\": [" : "", has_logprobs ? tokens : "",
             has_logprobs ? "]}" : "");
}

static inline void server_act(llm_connection *c, const char *word, const char *request)
{
    llm_server *v = c->server;
    char        body[32768] = "";
    if (!strcmp(word, "good") || !strcmp(word, "logprobs") || !strcmp(word, "slow"))
        server_answer(body, sizeof body, request, v->n_values, !strcmp(word, "logprobs"), "", "stop");
    else if (!strcmp(word, "few") || !strcmp(word, "many"))
        server_answer(body, sizeof body, request, v->n_values + (word[0] == 'f' ? -1 : 1), false, "", "stop");
    else if (!strcmp(word, "prose"))
        server_answer(body, sizeof body, request, v->n_values, false, "The answer is ", "stop");
    else if (!strcmp(word, "length"))
        server_answer(body, sizeof body, request, v->n_values, false, "", "length");
    else if (!strcmp(word, "garbage"))
        strcpy(body, "\x01\xff{{{]] not json");
    else if (!strcmp(word, "html"))
        strcpy(body, "<html><body>Bad gateway</body></html>");
    else if (!strcmp(word, "wrongjson"))
        strcpy(body, "{\"choices\": {\"message\": [1, 2]}, \"usage\": \"none\"}");
    if (!strcmp(word, "drop"))
        return;
    if (!strcmp(word, "cut"))
        server_send(c->socket, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{\"choices\": [{");
    else if (!strcmp(word, "e500"))
        server_reply(c->socket, "500 Internal Server Error", "", "{}");
    else if (!strcmp(word, "e401"))
        server_reply(c->socket, "401 Unauthorized", "", "{}");
    else if (!strcmp(word, "e413"))
        server_reply(c->socket, "413 Content Too Large", "", "{}");
    else if (!strcmp(word, "e400bound"))
        server_reply(c->socket, "400 Bad Request", "", "{\"error\": {\"message\": \"unknown field grammar\"}}");
    else if (!strcmp(word, "e429"))
        server_reply(c->socket, "429 Too Many Requests", "Retry-After: 1\r\n", "{}");
    else
        server_reply(c->socket, "200 OK", "", body);
}

static inline void *server_connection(void *arg)
{
    llm_connection *c = arg;
    llm_server     *v = c->server;
    char            word[64];
    char           *request = server_read(c->socket);
    if (request) {
        int n_open = ++v->n_open;
        int most = v->n_open_most;
        while (n_open > most && !atomic_compare_exchange_weak(&v->n_open_most, &most, n_open))
            ;
        v->n_requests++;
        v->n_with_key += strstr(request, "Authorization: Bearer sesame") != NULL;
        v->n_bound += strstr(request, "\"grammar\"") != NULL;
        server_word(word, v, request);
        pthread_mutex_lock(&v->lock);
        if (v->last_429_s > 0.0 && v->first_after_429_s == 0.0)
            v->first_after_429_s = server_now_s();
        if (!strcmp(word, "e429"))
            v->last_429_s = server_now_s();
        pthread_mutex_unlock(&v->lock);
        if (!strcmp(word, "slow"))
            for (int i = 0; i < 30 && !v->is_over; i++)
                nanosleep(&(struct timespec){0, 100000000}, NULL);
        server_act(c, word, request);
        v->n_open--;
        free(request);
    }
    shutdown(c->socket, SHUT_RDWR);
    close(c->socket);
    free(c);
    return NULL;
}

static inline void *server_run(void *arg)
{
    llm_server *v = arg;
    for (;;) {
        int s = accept(v->socket, NULL, NULL);
        if (s < 0)
            return NULL;
        llm_connection *c = malloc(sizeof *c);
        pthread_t       t;
        *c = (llm_connection){.server = v, .socket = s};
        if (pthread_create(&t, NULL, server_connection, c) == 0)
            pthread_detach(t);
    }
}

static inline void server_start(llm_server *v, int n_values)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t          n = sizeof a;
    memset(v, 0, sizeof *v);
    v->n_values = n_values;
    pthread_mutex_init(&v->lock, NULL);
    v->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(v->socket, (struct sockaddr *)&a, n) || listen(v->socket, 64) ||
        getsockname(v->socket, (struct sockaddr *)&a, &n) || pthread_create(&v->thread, NULL, server_run, v))
        abort();
    v->port = ntohs(a.sin_port);
}

static inline void server_stop(llm_server *v)
{
    v->is_over = 1;
    shutdown(v->socket, SHUT_RDWR);
    pthread_join(v->thread, NULL);
    close(v->socket);
    while (v->n_open > 0)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
}

#endif /* RVL_TESTS_LLM_SERVER_H */
