SRCS_policy := node.c errors.c schema.c scalar.c keys.c keys-pool.c \
	keys-guest.c parse.c mac.c state.c match.c resolve.c plan.c action.c
LIBS_policy := -lyaml
