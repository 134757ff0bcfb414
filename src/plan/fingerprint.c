#include "plan/fingerprint.h"

#include "base/hash.h"
#include "base/lock.h"
#include "base/processor_caches.h"
#include "kernels/dispatch.h"
#include "plan/axes.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* The name that the processor gives itself, or its identification register where it has none: printable ASCII. */
static void name_cpu(char name[64]) {
    char text[64] = "";
#if defined(__x86_64__)
    unsigned int part[4];
    for (unsigned int i = 0; i < 3; i++) {
        if (!__get_cpuid(0x80000002 + i, &part[0], &part[1], &part[2], &part[3])) break;
        memcpy(text + 16 * i, part, 16);
    }
#else
    FILE *stream = fopen("/sys/devices/system/cpu/cpu0/regs/identification/midr_el1", "r");
    if (stream) {
        if (!fgets(text, sizeof text, stream)) text[0] = '\0';
        fclose(stream);
    }
#endif
    size_t length = 0;
    for (const char *c = text; *c; c++)
        if (*c >= ' ' && *c <= '~' && (*c != ' ' || length > 0)) name[length++] = *c;
    while (length > 0 && name[length - 1] == ' ') length--;
    name[length] = '\0';
    if (length == 0) strcpy(name, "unknown");
}

/* Each once: "avx512+avx512_bf16". */
static void name_isas(char *text, size_t bytes) {
    size_t used = 0;
    for (int product = WLI_PRODUCT_F32; product <= WLI_PRODUCT_S8; product++) {
        const char *isa = wli_native_isa((wli_product)product);
        bool named = !isa;
        for (int before = WLI_PRODUCT_F32; before < product && !named; before++)
            named = strcmp(wli_native_isa((wli_product)before), isa) == 0;
        if (!named) used += (size_t)snprintf(text + used, bytes - used, "%s%s", used ? "+" : "", isa);
    }
}

static wli_fingerprint fingerprint;
static wli_once fingerprint_once;

static void make_fingerprint(void) {
    name_cpu(fingerprint.cpu);
    name_isas(fingerprint.isa, sizeof fingerprint.isa);
    memcpy(fingerprint.caches, wli_cache_sizes(), sizeof fingerprint.caches);
    const long cores = sysconf(_SC_NPROCESSORS_CONF);
    fingerprint.cores = cores > 0 ? cores : 1;
    fingerprint.library = WLSTM_VERSION_STRING;
    wli_onednn_version(fingerprint.onednn);
    snprintf(fingerprint.choices, sizeof fingerprint.choices, "%016" PRIx64, wli_axes_hash());
    char all[320];
    snprintf(all, sizeof all, "%s|%s|%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64 "|%s|%s|%s", fingerprint.cpu,
             fingerprint.isa, fingerprint.caches[0], fingerprint.caches[1], fingerprint.caches[2], fingerprint.cores,
             fingerprint.library, fingerprint.onednn, fingerprint.choices);
    snprintf(fingerprint.id, sizeof fingerprint.id, "%016" PRIx64, wli_hash_text(WLI_HASH_START, all));
}

const wli_fingerprint *wli_fingerprint_get(void) {
    wli_once_run(&fingerprint_once, make_fingerprint);
    return &fingerprint;
}
