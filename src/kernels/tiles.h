/* The tiles of TILE_ROWS rows: a full panel, and the tail's widths; one row takes two panels at once, as one panel's four sums
 * are too few to hide the latency of a multiply-add. */

#if TILE_ROWS == 1
#define TILE_PANELS 2
#define TILE_VECTORS 4
#include "kernels/tile.h"
#endif

#if TILE_ROWS <= MAX_ROWS
#define TILE_PANELS 1
#define TILE_VECTORS 4
#include "kernels/tile.h"

#define TILE_PANELS 1
#define TILE_VECTORS 3
#include "kernels/tile.h"
#endif

#define TILE_PANELS 1
#define TILE_VECTORS 2
#include "kernels/tile.h"

#define TILE_PANELS 1
#define TILE_VECTORS 1
#include "kernels/tile.h"

#undef TILE_ROWS
