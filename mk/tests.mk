# SPDX-License-Identifier: MIT
# Tests. Each part writes its counts to build/results; "make test" adds them up.

test_programs: $(release_unit) $(release_sim) $(release_replay)

unit: $(release_unit)  ## unit tests
	@tests/run unit $(release_unit)

sim: $(release_sim)  ## whole meshes in one process, on a simulated clock and network
	@tests/run sim $(release_sim)

.PHONY: test_programs unit sim
