/* How fast other libraries' gemms are, as the library itself calls them. */
#ifndef MACHINE_LIBRARY_COST_H
#define MACHINE_LIBRARY_COST_H

#include "plan/rates.h"

/* The rates' libraries, on one thread; where there is no memory they are left as they were. The least of several
 * rounds. */
void library_cost_measure(wli_rates *rates);

#endif
