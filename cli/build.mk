SRCS_cli := attach.c check.c client.c doctor-device.c doctor-host.c doctor.c explain.c \
	function.c irq.c irq-judge.c latency.c \
	out.c plan.c run.c status.c
LIBS_cli := -ljansson
