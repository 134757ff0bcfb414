/* How many rows of G a chunk has where nobody measured. */
#ifndef WLI_GATE_ROWS_H
#define WLI_GATE_ROWS_H

#include "plan/setting.h"

/* For parts of so many rows, whole steps not yet. */
int64_t wli_choose_gate_rows(const wli_setting *setting, int64_t part_rows);

#endif
