/*
 * tests/fuzz/replay.c - main of a fuzz target without a fuzzer: gives it each file of the folders
 * named, in the order of their names, and says how many there were.  None is a failure: the corpus
 * is what the ordinary tests know of the fuzzer's finds.
 */
#define _GNU_SOURCE 1 /* scandir */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20 };

/* The input is in memory of exactly its size, so that a sanitizer sees what reads past it. */
static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *whole = malloc(INPUT_MAX), *exact;
    size_t size;

    if (!file || !whole) {
        perror(path);
        exit(1);
    }
    size = fread(whole, 1, INPUT_MAX, file);
    (void)fclose(file);
    exact = realloc(whole, size > 0 ? size : 1);
    if (!exact)
        exit(1);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 1;
}

static int replay_folder(const char *folder)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort), done = 0;

    for (int i = 0; i < n; i++) {
        char path[1024];

        if (entries[i]->d_name[0] != '.') {
            (void)snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
            done += replay(path);
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return done;
}

int main(int argc, char **argv)
{
    int done = 0;

    for (int i = 1; i < argc; i++)
        done += replay_folder(argv[i]);
    (void)printf("%d inputs\n", done);
    return done > 0 ? 0 : 1;
}
