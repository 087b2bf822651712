// Fused multiply-adds on registers, nothing else: what one core can do at most, in GFLOP/s.
// Sixteen independent chains hide the latency; W is the width of a register in bytes.
#include <stdio.h>
#include <time.h>

typedef float vec __attribute__((vector_size(W)));

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

int main(void) {
    const long turns = 2000000;
    const int lanes = W / sizeof(float);
    vec chain[16], factor, term;
    for (int lane = 0; lane < lanes; lane++) {
        factor[lane] = 0.999f;
        term[lane] = 0.001f;
        for (int i = 0; i < 16; i++) chain[i][lane] = i;
    }
    double best = 0;
    for (int round = 0; round < 20; round++) {
        double began = now();
        for (long turn = 0; turn < turns; turn++) {
#pragma GCC unroll 16
            for (int i = 0; i < 16; i++) chain[i] = chain[i] * factor + term;
        }
        double reached = 2.0 * 16 * lanes * turns / (now() - began) / 1e9;
        if (reached > best) best = reached;
    }
    float sum = 0;
    for (int i = 0; i < 16; i++) sum += chain[i][0];
    printf("%.3f\n", sum == 0 ? 0 : best);  // the sum is used, so the loop is not dropped
    return 0;
}
