/* The sources that compute are compiled once with real = float and once with real = double. */
#ifndef WLI_REAL_H
#define WLI_REAL_H

#ifdef WLI_DOUBLE
typedef double real;
#define WLI_REAL(name) name##_f64
#else
typedef float real;
#define WLI_REAL(name) name##_f32
#endif

#endif
