// SPDX-License-Identifier: GPL-2.0
/*
 * Prints the rate of this machine's time-stamp counter in kHz.
 */
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct moment {
	unsigned long long tsc;
	long long ns;
};

/* Of many readings the one that took least: it was not interrupted. */
static struct moment now(void)
{
	unsigned long long least = ~0ULL;
	struct moment m = {};
	struct timespec ts;
	int i;

	for (i = 0; i < 1000; i++) {
		unsigned long long before = __rdtsc(), took;

		clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
		took = __rdtsc() - before;
		if (took < least) {
			least = took;
			m.tsc = before + took / 2;
			m.ns = ts.tv_sec * 1000000000LL + ts.tv_nsec;
		}
	}
	return m;
}

int main(void)
{
	struct timespec wait = { .tv_nsec = 200000000 };
	struct moment start = now(), end;

	nanosleep(&wait, NULL);
	end = now();
	printf("%.0f\n", (end.tsc - start.tsc) * 1e6 / (end.ns - start.ns));
	return 0;
}
