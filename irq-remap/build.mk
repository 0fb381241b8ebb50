SRCS_irq-remap := table.c bank.c commit.c line.c storm.c host.c facts.c facts-posting.c
LIBS_irq-remap :=
