/* Any words as a program's command line: the program's parser takes them, or refuses them with exit status 2 and a
 * message. Compiled once a program. Words end at a newline. */
#include "target.h"

#include "options.h"
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#if defined(FUZZ_RUN)
#include "run_arguments.h"
#elif defined(FUZZ_TUNE)
#include "tune_arguments.h"
#else
#include "arguments.h"
#endif

enum { MOST_WORDS = 40 };

#if defined(FUZZ_RUN)
static int parse(int argc, char **argv, bool *finished) {
    run_arguments given;
    const int status = run_parse_arguments(argc, argv, &given, finished);
    if (status == 0 && !*finished) {
        REQUIRE(given.model && given.input && given.output && given.prefix && !given.h0 == !given.c0);
        REQUIRE(given.threads >= 0 && given.threads <= CLI_THREADS);
    }
    return status;
}
#elif defined(FUZZ_TUNE)
static void check_list(const cli_list *list) {
    REQUIRE(list->count >= 0 && list->count <= CLI_LIST);
    for (int k = 0; k < list->count; k++) REQUIRE(list->values[k] >= 1 && list->values[k] <= list->largest);
}

static int parse(int argc, char **argv, bool *finished) {
    tune_arguments given;
    const int status = tune_parse_arguments(argc, argv, &given, finished);
    if (status == 0 && !*finished) {
        check_list(&given.batches), check_list(&given.seq_lens), check_list(&given.threads);
        REQUIRE(given.threads.count > 0 && given.time_limit >= 0 && given.time_limit <= 86400);
        REQUIRE(given.num_problems >= 0 && given.num_problems < argc);
        REQUIRE(!given.model || (given.batches.count > 0 && given.seq_lens.count > 0));
    }
    return status;
}
#else
static int parse(int argc, char **argv, bool *finished) {
    bench_arguments given;
    const int status = bench_parse_arguments(argc, argv, &given, finished);
    if (status == 0 && !*finished) {
        REQUIRE(given.num_threads >= 1 && given.num_threads <= CLI_LIST);
        REQUIRE(given.machine || given.num_problems > 0);
        for (int k = 1; k < given.num_threads; k++) REQUIRE(given.threads[k - 1] < given.threads[k]);
    }
    bench_arguments_free(&given);
    return status;
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    char program[] = "program", *argv[MOST_WORDS + 2] = { program }, *words = malloc(count + 1);
    int argc = 1;
    bool finished = false;
    if (words == NULL) abort();
    memcpy(words, bytes, count);
    words[count] = '\0';
    for (char *word = words; argc <= MOST_WORDS && (size_t)(word - words) < count; argc++) {
        argv[argc] = word;
        word = memchr(word, '\n', count - (size_t)(word - words));
        if (word == NULL) word = words + count;
        *word++ = '\0';
    }
    optind = 0; /* anew */
    fuzz_catch();
    const int status = parse(argc, argv, &finished);
    const char *printed = fuzz_caught();
    REQUIRE(status == 0 || status == EXIT_USAGE);
    REQUIRE((status != 0 || finished) == (printed[0] != '\0'));
    free(words);
    return 0;
}
