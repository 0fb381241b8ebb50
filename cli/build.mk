SRCS_cli := attach.c check.c client.c console.c control.c doctor-device.c doctor-host.c doctor.c explain.c \
	function.c guest.c irq.c irq-judge.c latency.c loan.c \
	out.c plan.c run.c status.c up.c
LIBS_cli := -ljansson
