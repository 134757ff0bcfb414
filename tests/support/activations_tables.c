#include <stdlib.h>
#include <string.h>
#include <wavelstm.h>

#include "activations_table.h"
#include "kernels/dispatch.h"

const activations_table *activations_tables[2][ACTIVATIONS_TABLES];
int num_activations_tables;

/* Whether this machine runs a table; those of wide vectors are compiled for the instruction set that their names end with. */
static bool runs(const char *isa) {
    const wli_native *found[ACTIVATIONS_TABLES];
    const int count = wli_native_all(WLI_PRODUCT_F32, found, ACTIVATIONS_TABLES);
    if (strncmp(isa, "wide_", 5) == 0) isa += 5;
    for (int t = 0; t < count; t++)
        if (strcmp(found[t]->isa, isa) == 0) return true;
    return strcmp(isa, "wide") == 0;
}

/* The tables of an instruction set. */
#define ADD_TABLES(isa)                                                                                                \
    do {                                                                                                               \
        extern const activations_table activations_##isa##_f32, activations_##isa##_f64;                               \
        if (!runs(#isa)) break;                                                                                        \
        if (num_activations_tables == ACTIVATIONS_TABLES) abort();                                                     \
        activations_tables[WLSTM_F32][num_activations_tables] = &activations_##isa##_f32;                              \
        activations_tables[WLSTM_F64][num_activations_tables++] = &activations_##isa##_f64;                            \
    } while (0);

void activations_find_tables(void) {
    unsetenv("WLSTM_ISA"); /* all of them, whatever else is tested */
    ADD_ALL_TABLES         /* of tests/CMakeLists.txt */
}
