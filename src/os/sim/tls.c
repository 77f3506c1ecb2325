/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL's randomness from the world's seed. OpenSSL draws all of it from generators whose kind
 * can be chosen (RAND_set_DRBG_type): here one from a provider of our own, in this process.
 */
#include <limits.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include "os/sim/sim.h"

#include "base/assert.h"

#define PROVIDER "mlsh-sim"
#define GENERATOR "MLSH-SIM-RAND"

/* One instance of the generator; all draw from the provider's one stream. */
struct generator {
	struct rng *rng;
	int state;
};

static void *generator_new(void *provider, void *parent, const OSSL_DISPATCH *parent_calls)
{
	struct generator *g = sim_alloc(sizeof(*g));

	(void)parent, (void)parent_calls;
	g->rng = provider;
	g->state = EVP_RAND_STATE_UNINITIALISED;
	return g;
}

static void generator_free(void *ctx)
{
	free(ctx);
}

static int generator_instantiate(void *ctx, unsigned int strength, int resistance,
				 const unsigned char *text, size_t text_len,
				 const OSSL_PARAM params[])
{
	struct generator *g = ctx;

	(void)strength, (void)resistance, (void)text, (void)text_len, (void)params;
	g->state = EVP_RAND_STATE_READY;
	return 1;
}

static int generator_uninstantiate(void *ctx)
{
	struct generator *g = ctx;

	g->state = EVP_RAND_STATE_UNINITIALISED;
	return 1;
}

static int generator_generate(void *ctx, unsigned char *out, size_t len, unsigned int strength,
			      int resistance, const unsigned char *more, size_t more_len)
{
	struct generator *g = ctx;

	(void)strength, (void)resistance, (void)more, (void)more_len;
	rng_fill(g->rng, out, len);
	return 1;
}

static int generator_reseed(void *ctx, int resistance, const unsigned char *entropy,
			    size_t entropy_len, const unsigned char *more, size_t more_len)
{
	(void)ctx, (void)resistance, (void)entropy, (void)entropy_len, (void)more, (void)more_len;
	return 1;
}

/* A simulated world has one thread. */
static int generator_enable_locking(void *ctx)
{
	(void)ctx;
	return 1;
}

static const OSSL_PARAM *generator_gettable(void *ctx, void *provider)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_int(OSSL_RAND_PARAM_STATE, NULL),
		OSSL_PARAM_uint(OSSL_RAND_PARAM_STRENGTH, NULL),
		OSSL_PARAM_size_t(OSSL_RAND_PARAM_MAX_REQUEST, NULL),
		OSSL_PARAM_END,
	};

	(void)ctx, (void)provider;
	return list;
}

static int generator_get_params(void *ctx, OSSL_PARAM params[])
{
	struct generator *g = ctx;
	OSSL_PARAM *state = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STATE);
	OSSL_PARAM *strength = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STRENGTH);
	OSSL_PARAM *most = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_MAX_REQUEST);

	return (!state || OSSL_PARAM_set_int(state, g->state)) &&
	       (!strength || OSSL_PARAM_set_uint(strength, 256)) &&
	       (!most || OSSL_PARAM_set_size_t(most, INT_MAX));
}

static const OSSL_ALGORITHM *provider_query(void *provider, int operation, int *ret_no_cache)
{
	static const OSSL_DISPATCH calls[] = {
		{ OSSL_FUNC_RAND_NEWCTX, (void (*)(void))generator_new },
		{ OSSL_FUNC_RAND_FREECTX, (void (*)(void))generator_free },
		{ OSSL_FUNC_RAND_INSTANTIATE, (void (*)(void))generator_instantiate },
		{ OSSL_FUNC_RAND_UNINSTANTIATE, (void (*)(void))generator_uninstantiate },
		{ OSSL_FUNC_RAND_GENERATE, (void (*)(void))generator_generate },
		{ OSSL_FUNC_RAND_RESEED, (void (*)(void))generator_reseed },
		{ OSSL_FUNC_RAND_ENABLE_LOCKING, (void (*)(void))generator_enable_locking },
		{ OSSL_FUNC_RAND_GETTABLE_CTX_PARAMS, (void (*)(void))generator_gettable },
		{ OSSL_FUNC_RAND_GET_CTX_PARAMS, (void (*)(void))generator_get_params },
		{ 0, NULL },
	};
	static const OSSL_ALGORITHM generators[] = {
		{ GENERATOR, "provider=" PROVIDER, calls, NULL },
		{ NULL, NULL, NULL, NULL },
	};

	(void)provider;
	*ret_no_cache = 0;
	return operation == OSSL_OP_RAND ? generators : NULL;
}

static int provider_start(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *core_calls,
			  const OSSL_DISPATCH **ret_calls, void **ret_provider)
{
	static const OSSL_DISPATCH calls[] = {
		{ OSSL_FUNC_PROVIDER_TEARDOWN, (void (*)(void))free },
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))provider_query },
		{ 0, NULL },
	};

	(void)core, (void)core_calls;
	*ret_calls = calls;
	*ret_provider = sim_alloc(sizeof(struct rng));
	return 1;
}

/* At the end of the process: gives up this reference and the one of the first world_seed_tls. */
static void provider_stop(void)
{
	OSSL_PROVIDER *p = OSSL_PROVIDER_try_load(NULL, PROVIDER, 1);

	if (p) {
		OSSL_PROVIDER_unload(p);
		OSSL_PROVIDER_unload(p);
	}
}

void world_seed_tls(struct world *w)
{
	bool first = !OSSL_PROVIDER_available(NULL, PROVIDER);
	OSSL_PROVIDER *p;

	if (first && (!OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) ||
		      !OSSL_PROVIDER_add_builtin(NULL, PROVIDER, provider_start) ||
		      !RAND_set_DRBG_type(NULL, GENERATOR, "provider=" PROVIDER, NULL, NULL)))
		world_die(w, "world_seed_tls: OpenSSL has drawn random numbers already");
	/* Keeps the default provider; stays loaded until the process ends. */
	p = OSSL_PROVIDER_try_load(NULL, PROVIDER, 1);
	if (!p)
		world_die(w, "world_seed_tls: OpenSSL does not take the provider");
	rng_seed(OSSL_PROVIDER_get0_provider_ctx(p), w->seed, "tls");
	if (!first)
		OSSL_PROVIDER_unload(p);
	else if (!OPENSSL_atexit(provider_stop))
		DIE("OpenSSL takes no exit handler");
}
