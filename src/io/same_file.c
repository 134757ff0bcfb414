#define _XOPEN_SOURCE 700 /* strndup */

#include "io/same_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What is there, or a name in a directory that is there. */
typedef struct place {
    dev_t device;
    ino_t inode;
    const char *name; /* "" for what is there */
} place;

static bool find_place(const char *path, place *found) {
    struct stat about;
    bool there = stat(path, &about) == 0;
    found->name = "";
    if (!there) {
        const char *slash = strrchr(path, '/');
        found->name = slash == NULL ? path : slash + 1;
        char *directory = slash == NULL ? strdup(".") : strndup(path, (size_t)(found->name - path));
        there = directory != NULL && stat(directory, &about) == 0;
        free(directory);
    }
    if (!there) return false;
    found->device = about.st_dev;
    found->inode = about.st_ino;
    return true;
}

bool wli_same_file(const char *a, const char *b) {
    place first, second;
    if (strcmp(a, b) == 0) return true;
    return find_place(a, &first) && find_place(b, &second) && first.device == second.device &&
           first.inode == second.inode && strcmp(first.name, second.name) == 0;
}
