# For those whose fingers know make: `make test` is `./dev test`, which says what else there is.
# Arguments go into ARGS: make sim ARGS="--minutes 5"

TARGETS := test sweep soak sim bench fuzz docs hello

.PHONY: $(TARGETS)
$(TARGETS):
	./dev $@ $(ARGS)
