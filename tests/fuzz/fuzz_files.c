/* fuzz_files PROGRAM [--seed S] [--count N] [--memory-limit MIB]
 *
 * Damages a good model file or a good array at random and runs wlstm-run (PROGRAM) on them: each time it must end by
 * itself with exit status 0, 1 or 2, with a message if not 0, and with an output file if and only if 0. The memory limit
 * cannot be used with a sanitizer. A failure leaves its files; the seed that is printed gives the same run again. */
#include "base/random.h"

#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CAPACITY 4096
#define SECONDS 20 /* for one run, a thousand times what it takes */

typedef struct contents {
    size_t length;
    unsigned char bytes[CAPACITY];
} contents;

static char directory[256];
static uint64_t seed, drawn;

static uint64_t random_bits(void) {
    return wli_random_bits(seed, drawn++);
}

static size_t random_below(size_t limit) {
    return limit == 0 ? 0 : (size_t)(random_bits() % limit);
}

/* ------------------------------------------------------------------------------------------------------ good files */

static void append(contents *file, const void *bytes, size_t count) {
    if (count > CAPACITY - file->length) abort();
    memcpy(file->bytes + file->length, bytes, count);
    file->length += count;
}

static void append_floats(contents *file, size_t count) {
    for (size_t k = 0; k < count; k++) {
        float value = (float)((int)(k % 17) - 8) / 16;
        append(file, &value, sizeof value);
    }
}

/* nn.LSTM(3, 2): H = 2, I = 3, of F32. */
static void make_model(contents *file) {
    static const char header[] = "{\"__metadata__\":{\"format\":\"pt\"},"
                                 "\"weight_ih_l0\":{\"dtype\":\"F32\",\"shape\":[8,3],\"data_offsets\":[0,96]},"
                                 "\"weight_hh_l0\":{\"dtype\":\"F32\",\"shape\":[8,2],\"data_offsets\":[96,160]},"
                                 "\"bias_ih_l0\":{\"dtype\":\"F32\",\"shape\":[8],\"data_offsets\":[160,192]},"
                                 "\"bias_hh_l0\":{\"dtype\":\"F32\",\"shape\":[8],\"data_offsets\":[192,224]}}";
    uint64_t length = sizeof header - 1;
    file->length = 0;
    append(file, &length, sizeof length);
    append(file, header, sizeof header - 1);
    append_floats(file, 56);
}

static void make_array(contents *file, const char *descr, const char *shape) {
    char header['v']; // the length in the preamble below
    size_t used =
        (size_t)snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape);
    memset(header + used, ' ', sizeof header - used - 1);
    header[sizeof header - 1] = '\n';
    file->length = 0;
    append(file, "\x93NUMPY\x01\0v\0", 10);
    append(file, header, sizeof header);
}

/* x [5, 2, 3], or without rows [5, 0, 3], of which seq_len may become anything without the file being longer */
static void make_input(contents *file, bool empty) {
    static const char *const descrs[] = { "<f4", ">f4", "<f2", ">f2", "<f8", ">f8", "=f4", "|f2", "f8" };
    const char *descr = descrs[random_below(sizeof descrs / sizeof descrs[0])];
    make_array(file, descr, empty ? "(5, 0, 3)" : "(5, 2, 3)");
    const size_t values = empty ? 0 : 30, itemsize = (size_t)(descr[strlen(descr) - 1] - '0');
    append_floats(file, values * itemsize / sizeof(float)); /* of another type any bytes do */
}

/* lengths [2] */
static void make_lengths(contents *file) {
    const int64_t little[2] = { 5, 2 }, big[2] = { INT64_C(5) << 56, INT64_C(2) << 56 };
    const bool reversed = random_below(2) == 1;
    make_array(file, reversed ? ">i8" : "<i8", "(2,)");
    append(file, reversed ? big : little, sizeof little);
}

/* ------------------------------------------------------------------------------------------------------ damage */

/* Replaces `count` bytes at `at`; what passes the capacity falls off the end. */
static void splice(contents *file, size_t at, size_t count, const void *bytes, size_t new_count) {
    unsigned char rest[CAPACITY];
    size_t left = file->length - at - count;
    memcpy(rest, file->bytes + at + count, left);
    file->length = at;
    append(file, bytes, new_count < CAPACITY - at ? new_count : CAPACITY - at);
    append(file, rest, left < CAPACITY - file->length ? left : CAPACITY - file->length);
}

/* One of the header's decimal numbers becomes an extreme one. */
static void replace_number(contents *file) {
    static const char *const numbers[] = {
        "0", "-1", "1e9", "4294967296", "2147483647", "9223372036854775807", "18446744073709551616",
        "1", "2",  "0.5", "[",          "null",       "100000000000"
    };
    size_t start = random_below(file->length), end;
    while (start < file->length && (file->bytes[start] < '0' || file->bytes[start] > '9')) start++;
    for (end = start; end < file->length && file->bytes[end] >= '0' && file->bytes[end] <= '9';) end++;
    const char *number = numbers[random_below(sizeof numbers / sizeof numbers[0])];
    splice(file, start, end - start, number, strlen(number));
}

/* The length field at the start of the file (or the npy's version and length) becomes an extreme one. */
static void replace_length(contents *file) {
    static const uint64_t lengths[] = { 0, 1, 2, 0xff, 0xffff, 0xffffffff, UINT64_MAX, INT64_MAX, 100000000, 99999999 };
    uint64_t length = lengths[random_below(sizeof lengths / sizeof lengths[0])];
    size_t at = file->bytes[0] == 0x93 ? 6 + random_below(4) : 0;
    if (file->length >= at + sizeof length) memcpy(file->bytes + at, &length, sizeof length);
}

static void damage(contents *file) {
    if (file->length == 0) return;
    size_t at = random_below(file->length);
    unsigned char bytes[64];
    for (size_t k = 0; k < sizeof bytes; k++) bytes[k] = (unsigned char)random_bits();
    switch (random_below(8)) {
    case 0:
        file->bytes[at] ^= (unsigned char)(1u << random_below(8));
        break;
    case 1:
        file->bytes[at] = bytes[0];
        break;
    case 2:
        file->length = at;
        break;
    case 3:
        splice(file, at, 0, bytes, 1 + random_below(sizeof bytes));
        break;
    case 4:
        splice(file, at, random_below(file->length - at), "", 0);
        break;
    case 5:
        replace_length(file);
        break;
    case 6:
        memset(bytes, "[{\"(\x00\xff 9"[random_below(8)], sizeof bytes);
        splice(file, at, 0, bytes, 1 + random_below(sizeof bytes));
        break;
    default:
        replace_number(file);
        break;
    }
}

/* ------------------------------------------------------------------------------------------------------ one run */

static const char *path_of(const char *name) {
    static char paths[4][300];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static void store(const char *name, const contents *file) {
    FILE *stream = fopen(path_of(name), "wb");
    if (stream == NULL || fwrite(file->bytes, 1, file->length, stream) != file->length || fclose(stream) != 0) {
        perror(directory);
        exit(EXIT_FAILURE);
    }
}

/* Runs the program with its stderr in a file; the alarm outlives exec and ends a run that hangs. */
static int run_program(const char *program, bool with_lengths, rlim_t memory_limit) {
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        exit(EXIT_FAILURE);
    }
    if (child == 0) {
        const struct rlimit limit = { memory_limit, memory_limit };
        if (memory_limit != 0) setrlimit(RLIMIT_AS, &limit);
        alarm(SECONDS);
        if (freopen(path_of("stderr"), "w", stderr) == NULL || freopen("/dev/null", "w", stdout) == NULL) _exit(126);
        execl(program, program, "--threads", "1", "--model", path_of("model"), "--input", path_of("input"), "--output",
              path_of("output"), with_lengths ? "--lengths" : NULL, path_of("lengths"), (char *)NULL);
        _exit(127);
    }
    int status;
    while (waitpid(child, &status, 0) < 0) {
    }
    return status;
}

/* NULL if the run kept the rules. A sanitizer's report is a failure even where it exits with 1. */
static const char *judge(int status) {
    static char messages[65536];
    FILE *stream = fopen(path_of("stderr"), "rb");
    size_t length = stream == NULL ? 0 : fread(messages, 1, sizeof messages - 1, stream);
    messages[length] = '\0';
    if (stream != NULL) fclose(stream);
    bool written = access(path_of("output"), F_OK) == 0;
    if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGALRM ? "it hangs" : "it was ended by a signal";
    if (WEXITSTATUS(status) > 2) return "exit status above 2";
    if (strstr(messages, "Sanitizer") != NULL || strstr(messages, "runtime error") != NULL)
        return "a sanitizer's report";
    if (WEXITSTATUS(status) != 0 && length == 0) return "a failure without a message";
    if (WEXITSTATUS(status) != 0 && written) return "a failure with an output file";
    if (WEXITSTATUS(status) == 0 && !written) return "success without an output file";
    return NULL;
}

static void remove_files(void) {
    static const char *const names[] = { "model", "input", "lengths", "output", "stderr" };
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) unlink(path_of(names[k]));
}

/* Damages one file of the three, or none in run 0. */
static const char *run_once(const char *program, uint64_t number, rlim_t memory_limit, int *status) {
    contents model, input, lengths;
    make_model(&model);
    make_lengths(&lengths);
    contents *const files[] = { &model, &model, &input, &input, &lengths };
    contents *damaged = files[random_below(5)];
    make_input(&input, damaged == &input && random_below(4) == 0);
    if (number > 0)
        for (size_t times = 1 + random_below(3); times > 0; times--) damage(damaged);
    remove_files();
    store("model", &model);
    store("input", &input);
    store("lengths", &lengths);
    *status = run_program(program, damaged == &lengths, memory_limit);
    if (number == 0 && (!WIFEXITED(*status) || WEXITSTATUS(*status) != 0)) return "the undamaged files failed";
    return judge(*status);
}

static bool parse_number(const char *text, uint64_t *number) {
    char *end;
    *number = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

int main(int argc, char **argv) {
    uint64_t count = 300, memory_mib = 0;
    seed = (uint64_t)time(NULL);
    bool usage = argc < 2 || argc % 2 != 0;
    for (int k = 2; k + 1 < argc && !usage; k += 2) {
        uint64_t *number = strcmp(argv[k], "--seed") == 0           ? &seed
                           : strcmp(argv[k], "--count") == 0        ? &count
                           : strcmp(argv[k], "--memory-limit") == 0 ? &memory_mib
                                                                    : NULL;
        usage = number == NULL || !parse_number(argv[k + 1], number);
    }
    if (usage) {
        fprintf(stderr, "Usage: fuzz_files PROGRAM [--seed S] [--count N] [--memory-limit MIB]\n");
        return 2;
    }
    const char *root = getenv("TMPDIR");
    snprintf(directory, sizeof directory, "%s/wavelstm-fuzz-XXXXXX", root != NULL ? root : "/tmp");
    if (mkdtemp(directory) == NULL) {
        perror(directory);
        return EXIT_FAILURE;
    }
    setenv("WLSTM_CACHE", "off", 1);
    printf("seed %" PRIu64 "\n", seed);
    fflush(stdout); // or each child would print it again
    uint64_t accepted = 0;
    for (uint64_t number = 0; number < count; number++) {
        int status;
        const char *failure = run_once(argv[1], number, (rlim_t)memory_mib << 20, &status);
        if (failure != NULL) {
            fprintf(stderr, "fuzz_files: run %" PRIu64 " of seed %" PRIu64 ": %s (wait status %d), files in %s\n",
                    number, seed, failure, status, directory);
            return EXIT_FAILURE;
        }
        accepted += WEXITSTATUS(status) == 0;
    }
    printf("%" PRIu64 " runs, %" PRIu64 " accepted, the others refused with a message\n", count, accepted);
    remove_files();
    rmdir(directory);
    return EXIT_SUCCESS;
}
