/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over kept inputs, without a fuzzer: each file of the folders given as
 * arguments, or for the program fuzz_NAME of tests/fuzz/corpus/NAME, then variations of it
 * (every prefix, and each byte changed in a fixed way), so that a regression shows up in every
 * ordinary test run. An empty folder is a failure.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX_BYTES (1U << 20)
#define VARIED_MAX_BYTES 512U /* longer inputs are only run as they are: variations are squared */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

/* In a heap block of exactly its size, so that a read past the end is seen. */
static void run_exact(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void run_variations(uint8_t *data, size_t size)
{
	static const uint8_t flips[] = { 0x01, 0x80, 0xff };

	for (size_t length = 0; length < size; length++)
		run_exact(data, length);
	for (size_t i = 0; i < size; i++) {
		for (size_t f = 0; f < sizeof(flips); f++) {
			data[i] ^= flips[f];
			run_exact(data, size);
			data[i] ^= flips[f];
		}
	}
}

/* 0, or -1 with a message. */
static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(INPUT_MAX_BYTES);
	size_t size;

	if (!file || !data) {
		printf("not ok - %s cannot be read\n", path);
		free(data);
		if (file)
			fclose(file);
		return -1;
	}
	size = fread(data, 1, INPUT_MAX_BYTES, file);
	fclose(file);
	run_exact(data, size);
	if (size <= VARIED_MAX_BYTES)
		run_variations(data, size);
	free(data);
	return 0;
}

/* How many inputs were run, or -1 with a message. */
static int run_folder(const char *folder)
{
	struct dirent **entries;
	int found = scandir(folder, &entries, NULL, alphasort), count = 0, status = 0;

	if (found < 0) {
		printf("not ok - corpus folder %s cannot be read\n", folder);
		return -1;
	}
	for (int i = 0; i < found; i++) {
		char path[4096];
		struct stat info;

		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		if (status == 0 && stat(path, &info) == 0 && S_ISREG(info.st_mode)) {
			status = run_file(path);
			count++;
		}
		free(entries[i]);
	}
	free(entries);
	return status < 0 ? status : count;
}

/* As run_folder, with a line for the test runner. 0 or -1. */
static int replay(const char *folder)
{
	int count = run_folder(folder);

	if (count == 0)
		printf("not ok - corpus folder %s is empty\n", folder);
	else if (count > 0)
		printf("ok - %s: %d inputs and their variations\n", folder, count);
	return count > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	char folder[512];
	int status = 0;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		status |= replay(argv[i]);
	if (argc < 2) {
		name = name ? name + 1 : argv[0];
		name = strncmp(name, "fuzz_", 5) == 0 ? name + 5 : name;
		snprintf(folder, sizeof(folder), "tests/fuzz/corpus/%s", name);
		status = replay(folder);
	}
	return status == 0 ? 0 : 1;
}
