SRCS_cli := \
	attach.c \
	check.c \
	client.c \
	console.c \
	control.c \
	doctor-device.c \
	doctor-host.c \
	doctor.c \
	explain.c \
	export-as.c \
	export.c \
	formats-json.c \
	formats-libvirt.c \
	function.c \
	guest.c \
	import-xml.c \
	import.c \
	irq-judge.c \
	irq.c \
	latency.c \
	loan.c \
	metrics-sandbox.c \
	metrics-serve.c \
	metrics-verb.c \
	metrics.c \
	observe.c \
	out.c \
	plan.c \
	record.c \
	run.c \
	schema.c \
	sim.c \
	status.c \
	up.c \

LIBS_cli := -lexpat -ljansson -lseccomp
