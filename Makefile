# make run    builds tokenscope, fetches its default model and starts a chat; ARGS="-m FILE" is passed on
# make test   checks formatting and lints and runs every test
# Both first find or install the tools they need (.ci/tools.sh).

.POSIX:
.PHONY: run test
ARGS =

run:
	@. .ci/tools.sh && prepare && build && fetch_model $(ARGS) && exec target/release/tokenscope $(ARGS)

test:
	@. .ci/tools.sh && prepare && build && lint && fetch_model && cargo test --release --locked
