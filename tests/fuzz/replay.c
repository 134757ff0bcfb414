/* TARGET FILE-OR-FOLDER...: gives a fuzz target the content of each file, as libFuzzer's own main does. */
#define _POSIX_C_SOURCE 200809L
#include "target.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long replayed;

static void replay_file(const char *path) {
    static uint8_t bytes[1 << 20];
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    const size_t count = fread(bytes, 1, sizeof bytes, stream);
    fclose(stream);
    /* At the end of memory of its own, so that a sanitizer sees what is read past it. */
    uint8_t *copy = malloc(count > 0 ? count : 1);
    if (copy == NULL) abort();
    memcpy(copy, bytes, count);
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(copy, count);
    free(copy);
    replayed++;
}

static void replay(const char *path) {
    DIR *directory = opendir(path);
    if (directory == NULL) {
        replay_file(path);
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.') replay(name);
    }
    closedir(directory);
}

int main(int argc, char **argv) {
    for (int k = 1; k < argc; k++) replay(argv[k]);
    printf("%ld inputs\n", replayed);
    return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
