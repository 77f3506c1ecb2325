/* SPDX-License-Identifier: MIT */
/*
 * Random streams of the simulation: xoshiro256** 1.0, its state filled by splitmix64 (both by
 * Blackman and Vigna, prng.di.unimi.it). Repeatable, and of no use for secrets.
 */
#include "os/sim/sim.h"

static uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Streams of one seed differ by name, so that a further machine does not disturb the others. */
void rng_seed(struct rng *r, uint64_t seed, const char *stream)
{
	uint64_t state = seed;

	for (const char *p = stream; *p; p++) {
		state = splitmix64(&state) ^ (uint8_t)*p;
	}
	for (size_t i = 0; i < ARRAY_LEN(r->s); i++)
		r->s[i] = splitmix64(&state);
}

static uint64_t rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

uint64_t rng_u64(struct rng *r)
{
	uint64_t result = rotl(r->s[1] * 5, 7) * 9;
	uint64_t t = r->s[1] << 17;

	r->s[2] ^= r->s[0];
	r->s[3] ^= r->s[1];
	r->s[1] ^= r->s[2];
	r->s[0] ^= r->s[3];
	r->s[2] ^= t;
	r->s[3] = rotl(r->s[3], 45);
	return result;
}

uint64_t rng_below(struct rng *r, uint64_t bound)
{
	uint64_t unfair = -bound % bound; /* 2^64 mod bound: so many values too many */
	uint64_t v;

	do {
		v = rng_u64(r);
	} while (v < unfair);
	return v % bound;
}

/* Draws nothing when the answer is certain. */
bool rng_chance(struct rng *r, double p)
{
	if (p <= 0)
		return false;
	return p >= 1 || (double)(rng_u64(r) >> 11) * 0x1p-53 < p;
}

void rng_fill(struct rng *r, void *out, size_t len)
{
	uint8_t *at = out;

	while (len > 0) {
		uint64_t v = rng_u64(r);
		size_t n = MIN(len, sizeof(v));

		for (size_t i = 0; i < n; i++)
			at[i] = (uint8_t)(v >> (8 * i));
		at += n;
		len -= n;
	}
}
