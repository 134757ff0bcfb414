/* The tiles of TILE_ROWS rows: a full panel, alone or with a tail of one to three vectors, and the tail's widths alone; few rows
 * take two panels at once: one panel's sums are too few to hide the latency of a multiply-add or of the cell, and its weights one
 * stream, where a core's prefetchers draw more from memory with two. */

#define TILE_PANELS 1
#define TILE_VECTORS 1
#define TILE_TAIL 0
#include "kernels/tile.h"

#define TILE_PANELS 1
#define TILE_VECTORS 2
#define TILE_TAIL 0
#include "kernels/tile.h"

#if TILE_ROWS <= MAX_ROWS
#define TILE_PANELS 1
#define TILE_VECTORS 3
#define TILE_TAIL 0
#include "kernels/tile.h"

#define TILE_PANELS 1
#define TILE_VECTORS 4
#define TILE_TAIL 0
#include "kernels/tile.h"
#endif

#if TILE_ROWS <= TAILED_1
#define TILE_PANELS 1
#define TILE_VECTORS 4
#define TILE_TAIL 1
#include "kernels/tile.h"
#endif

#if TILE_ROWS <= TAILED_2
#define TILE_PANELS 1
#define TILE_VECTORS 4
#define TILE_TAIL 2
#include "kernels/tile.h"
#endif

#if TILE_ROWS <= TAILED_3
#define TILE_PANELS 1
#define TILE_VECTORS 4
#define TILE_TAIL 3
#include "kernels/tile.h"
#endif

#if TILE_ROWS <= PAIRED_1
#define TILE_PANELS 2
#define TILE_VECTORS 4
#define TILE_TAIL 0
#include "kernels/tile.h"

#define TILE_PANELS 2
#define TILE_VECTORS 4
#define TILE_TAIL 1
#include "kernels/tile.h"
#endif

#if TILE_ROWS <= PAIRED_3
#define TILE_PANELS 2
#define TILE_VECTORS 4
#define TILE_TAIL 2
#include "kernels/tile.h"

#define TILE_PANELS 2
#define TILE_VECTORS 4
#define TILE_TAIL 3
#include "kernels/tile.h"
#endif

#undef TILE_ROWS
