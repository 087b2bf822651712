// Fused multiply-adds on registers, nothing else: what one core can do at most, in GFLOP/s.
// W is the width of a register in bytes. The chains are independent of each other: at least as many as a core has
// multiply-adds under way (latency times units), and few enough to stay in registers together with two constants.
#include <stdio.h>
#include <time.h>

#if defined(__x86_64__) && W == 64
#define CHAINS 24 // of 32 registers
#define INSTRUCTIONS __attribute__((target("avx512f")))
#define PRESENT __builtin_cpu_supports("avx512f")
#elif defined(__x86_64__) && W == 32
#define CHAINS 12 // of 16 registers; 16 chains spill, and reach half
#define INSTRUCTIONS __attribute__((target("avx2,fma")))
#define PRESENT (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#elif defined(__x86_64__) && W == 16
#define CHAINS 12
#define INSTRUCTIONS __attribute__((target("fma")))
#define PRESENT __builtin_cpu_supports("fma")
#elif defined(__aarch64__) && W == 16
#define CHAINS 24 // of 32 registers; NEON is in every arm64 processor
#define INSTRUCTIONS
#define PRESENT 1
#else
#define CHAINS 4 // no such register: the compiler would split it, and the figure would be that of a narrower one
#define INSTRUCTIONS
#define PRESENT 0
#endif

typedef float vec __attribute__((vector_size(W)));
enum { LANES = W / sizeof(float) };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

// Returns a sum of the results, so that no compiler can leave the loop out.
INSTRUCTIONS __attribute__((noinline)) float multiply_add(long turns) {
    vec chain[CHAINS], factor, term;
    for (int lane = 0; lane < LANES; lane++) {
        factor[lane] = 0.999f;
        term[lane] = 0.001f;
        for (int i = 0; i < CHAINS; i++) chain[i][lane] = i;
    }
    for (long turn = 0; turn < turns; turn++) {
#pragma GCC unroll 24
        for (int i = 0; i < CHAINS; i++) chain[i] = chain[i] * factor + term;
    }
    float sum = 0;
    for (int i = 0; i < CHAINS; i++) sum += chain[i][0];
    return sum;
}

int main(void) {
    if (!PRESENT) return 3;
    const long turns = 2000000;
    double best = 0;
    float sum = 0;
    for (int round = 0; round < 20; round++) {
        double began = now();
        sum += multiply_add(turns);
        double reached = 2.0 * CHAINS * LANES * turns / (now() - began) / 1e9;
        if (reached > best) best = reached;
    }
    printf("%.3f\n", sum == 0 ? 0 : best);
    return 0;
}
