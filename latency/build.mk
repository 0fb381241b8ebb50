SRCS_latency := hist.c report.c
LIBS_latency :=
