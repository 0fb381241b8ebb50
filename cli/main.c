/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Two tables, options and verbs, and what walks them. */

#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define POLICY "/etc/fairlead/policy.yaml"

static const struct cli_verb verbs[] = {
	{ "doctor", "[BDF]", "can this host, this device, be assigned?", 0, 1,
	  CLI_OPT_ROOT, cli_doctor,
	  "Looks at the IOMMU, interrupt remapping, VFIO and KVM, or at one PCI\n"
	  "function (0000:3b:00.0), and prints what is missing with the command\n"
	  "that mends it. Exit status 1 when something prevents assignment." },
	{ "explain", "BDF | GUEST DEVICE | NAME", "what a guest sees, and why",
	  1, 2, CLI_OPT_ROOT | CLI_OPT_SOCKET, cli_explain,
	  "As root. The function's configuration space beside the guest's, each\n"
	  "capability's verdict, and a reason for every byte that differs. With\n"
	  "GUEST DEVICE, the function that the guest has by that name, or the VF\n"
	  "that it would get; with NAME, who has a VF by `lease`, that one: and\n"
	  "why it, and no other of the pool." },
	{ "check", "FILE|DIR", "is the policy well formed?", 1, 1, 0, cli_check,
	  "Needs neither the daemon nor hardware. Every error is printed as\n"
	  "file:line:column." },
	{ "schema", "", "what a policy may say, as a JSON Schema", 0, 0, 0,
	  cli_schema,
	  "For editors and for tests without this machine; check says more." },
	{ "plan", "[FILE|DIR]", "what apply would do, in order", 0, 1,
	  CLI_OPT_SOCKET | CLI_OPT_SIM | CLI_OPT_COMMANDS, cli_plan,
	  "Each step with its disruption, the guests that it touches, and the ip\n"
	  "or shell line of the same effect. Of DIR it is the *.yaml. Left out: " POLICY
	  "\n"
	  "and policy.d/*.yaml beside it. With --sim, on the machine that\n"
	  "was recorded in DIR: without the daemon and without privilege." },
	{ "record", "[DIR]", "this machine as a file for plan --sim", 0, 1,
	  CLI_OPT_SOCKET | CLI_OPT_ROOT | CLI_OPT_ANONYMIZE, cli_record,
	  "As root, with or without the daemon. All that a plan can depend on, a\n"
	  "line for each PCI function, in DIR/inventory.jsonl; without DIR it is\n"
	  "printed. --anonymize replaces MACs, addresses, serial numbers and the\n"
	  "host's name." },
	{ "import", "libvirt FILE", "a libvirt network as a policy", 2, 2,
	  CLI_OPT_ROOT, cli_import,
	  "FILE is one network of mode hostdev, as virsh net-dumpxml prints it." },
	{ "export", "[FILE]", "this machine as a policy", 0, 1,
	  CLI_OPT_SOCKET | CLI_OPT_ROOT | CLI_OPT_SIM | CLI_OPT_FORMAT,
	  cli_export,
	  "As root, with or without the daemon. A plan of what is printed is\n"
	  "empty on this machine; what no policy can say is in comments. With\n"
	  "--sim, of the machine that was recorded in DIR. With --format, the\n"
	  "policy FILE in another program's words: libvirt's XML of networks and\n"
	  "interfaces, the resourceList of Kubernetes' SR-IOV device plugin, or\n"
	  "nova's device_spec; what it cannot hold is said." },
	{ "apply", "[FILE|DIR]", "make the machine as the policy says", 0, 1,
	  CLI_OPT_SOCKET | CLI_OPT_FORCE | CLI_OPT_SIM | CLI_OPT_WITHIN |
	          CLI_OPT_DISRUPTION | CLI_OPT_EARLY | CLI_OPT_WAIT,
	  cli_apply,
	  "As root. One transaction: on failure what was done is undone. The\n"
	  "state found before the first apply is kept for `fairlead restore`.\n"
	  "Where it is to be confirmed and is not in time, it is rolled back.\n"
	  "Left out: as plan. With --sim nothing is done: what the machine that\n"
	  "was recorded in DIR would be is printed, as `record` prints it." },
	{ "confirm", "", "keep what was applied for a time", 0, 0,
	  CLI_OPT_SOCKET, cli_confirm,
	  "As root. `fairlead status` shows the time that is left." },
	{ "assert", "[FILE|DIR]", "is the machine as the policy says?", 0, 1,
	  CLI_OPT_SOCKET, cli_assert,
	  "Without FILE the policy that is applied. Exit status: 0 it is, 1 it is\n"
	  "not, and what differs is printed, 2 it cannot be told." },
	{ "status", "", "PFs, VFs and leases as the kernel tells them", 0, 0,
	  CLI_OPT_SOCKET, cli_status, "" },
	{ "metrics", "", "what is counted, in Prometheus' text format", 0, 0,
	  CLI_OPT_SOCKET | CLI_OPT_SERVE, cli_metrics,
	  "A driver that counts nothing of its VFs has no series for them." },
	{ "restore", "", "back to the state before the first apply", 0, 0,
	  CLI_OPT_SOCKET, cli_restore, "As root." },
	{ "lease", "POOL [-- COMMAND]", "a pool's VF for a program", 1, 256,
	  CLI_OPT_SOCKET | CLI_OPT_HOLD | CLI_OPT_DEVICE | CLI_OPT_ATTRIBUTES |
	          CLI_OPT_PLACE,
	  cli_lease,
	  "With COMMAND the VF is its own until it ends: FAIRLEAD_DEVICE is the\n"
	  "VF's address, FAIRLEAD_IFNAME its interface, FAIRLEAD_FDS the numbers\n"
	  "of VFIO's descriptors, FAIRLEAD_LEASE all of it as JSON. With --hold\n"
	  "NAME it is NAME's until `fairlead release NAME`. Of the VFs that are\n"
	  "free the pool's `placement` says which; `explain NAME` says why." },
	{ "release", "NAME [GENERATION]", "give back what NAME holds", 1, 2,
	  CLI_OPT_SOCKET, cli_release,
	  "The VF is scrubbed. With a GENERATION that is not the present one, or\n"
	  "where NAME holds nothing, nothing is done, and that is said." },
	{ "scrub", "BDF", "clean a VF, and end its quarantine", 1, 1,
	  CLI_OPT_SOCKET, cli_scrub,
	  "As root. Function reset, administrative state as a new VF has it,\n"
	  "read back. Nobody may have the VF." },
	{ "history", "[N]", "what was changed, by whom, and what came of it", 0,
	  1, CLI_OPT_SOCKET, cli_history,
	  "As root or a member of the group fairlead. The latest changes first;\n"
	  "with N that one, each action with its value before and after, as the\n"
	  "kernel told them." },
	{ "run", "GUEST", "start a guest of the policy, console attached", 1, 1,
	  CLI_OPT_SOCKET | CLI_OPT_REPORT | CLI_OPT_USER | CLI_OPT_NO_REBOOT,
	  cli_run,
	  "Ends with ^A x, or when the guest powers off. Exit status: 0 powered\n"
	  "off or stopped, 10 reset (with --no-reboot), 11 DMA left the\n"
	  "guest, 12 it panicked, or 13 its watchdog ran out, and the policy\n"
	  "says stop; 1 failed." },
	{ "up", "[GUEST]", "start a guest of the policy in the background", 0,
	  1,
	  CLI_OPT_SOCKET | CLI_OPT_REPORT | CLI_OPT_USER | CLI_OPT_NO_REBOOT |
	          CLI_OPT_BOOT,
	  cli_up,
	  "Waits until the guest runs; else its reason and exit status are as\n"
	  "run's. With --boot instead of GUEST, all with `boot: auto` that do\n"
	  "not run, in the policy's order; exit status 6: not all of them." },
	{ "down", "[GUEST]", "the same as stop", 0, 1,
	  CLI_OPT_SOCKET | CLI_OPT_NOW | CLI_OPT_GRACE | CLI_OPT_BOOT, cli_down,
	  "With --boot instead of GUEST, all with `boot: auto` that run, the\n"
	  "last of the policy first; exit status 6: not all of them." },
	{ "stop", "GUEST", "press a guest's power button, and wait", 1, 1,
	  CLI_OPT_SOCKET | CLI_OPT_NOW | CLI_OPT_GRACE, cli_stop,
	  "Where it has not powered off in time it is ended." },
	{ "ps", "", "the guests that run", 0, 0, CLI_OPT_SOCKET, cli_ps, "" },
	{ "reset", "GUEST", "put a running guest back to power-on", 1, 1,
	  CLI_OPT_SOCKET, cli_reset, "It is not asked." },
	{ "pause", "GUEST", "stop a guest's CPUs and clocks", 1, 1,
	  CLI_OPT_SOCKET, cli_pause,
	  "Assigned devices go on with what DMA they do." },
	{ "resume", "GUEST", "let a paused guest go on", 1, 1, CLI_OPT_SOCKET,
	  cli_resume, "" },
	{ "console", "GUEST", "a running guest's console, ^] to leave", 1, 1,
	  CLI_OPT_SOCKET | CLI_OPT_READ_ONLY | CLI_OPT_LOG, cli_console,
	  "There may be several; what they type is merged. Who does not read\n"
	  "loses the oldest bytes, and is told how many." },
	{ "log", "GUEST", "what a guest's VMM said last", 1, 1, CLI_OPT_SOCKET,
	  cli_log,
	  "Of guests that were started by up, the last 64 KiB, also when they\n"
	  "have ended and over their restarts." },
	{ "dump", "GUEST FILE", "a guest's memory as a core for crash and gdb",
	  2, 2, CLI_OPT_SOCKET, cli_dump,
	  "The guest stands still meanwhile. FILE must not be there yet." },
	{ "attach", "GUEST DEVICE", "give a running guest a device", 2, 2,
	  CLI_OPT_SOCKET, cli_attach,
	  "DEVICE is a nic or device of the guest in the applied policy that was\n"
	  "detached before, or a device of the policy that no guest uses, which\n"
	  "goes into one of the guest's slots for hot plug." },
	{ "detach", "GUEST DEVICE", "take a device out of a running guest", 2,
	  2, CLI_OPT_SOCKET | CLI_OPT_NOW, cli_detach,
	  "The guest is asked first; what it has not let go of after 10 s is\n"
	  "pulled. The device stays bound to VFIO, free for another guest." },
	{ "failover", "GUEST NIC", "take a guest's VF away and give it back", 2,
	  2,
	  CLI_OPT_SOCKET | CLI_OPT_NOW | CLI_OPT_BACK | CLI_OPT_STANDBY |
	          CLI_OPT_DEVICE,
	  cli_failover,
	  "For a nic with a standby, which carries the network meanwhile. One\n"
	  "request: once begun it is brought to its end. --to-standby takes the\n"
	  "VF away, --back gives it back; both may be said twice. Where its own\n"
	  "VF is not to be had it gets another of the pool, and is told why; with\n"
	  "--device that one. Exit status:\n"
	  "0 done; 1 refused, and the guest is as it was; 5 it did not go\n"
	  "through, and the guest runs on its standby." },
	{ "irq", "GUEST [SECONDS]", "each interrupt vector of a running guest",
	  1, 2, CLI_OPT_SOCKET | CLI_OPT_ROOT, cli_irq,
	  "How it reaches the guest (remapped, posted, emulated; unknown where\n"
	  "nothing moved), the host's interrupt and CPU, its rate. The host is\n"
	  "looked at twice, SECONDS (1) apart. Where the guest's vCPUs are pinned,\n"
	  "host interrupts are moved to the CPUs of the vCPU they serve." },
	{ "latency", "SAMPLES [SAMPLES]", "percentiles, two runs side by side",
	  1, 2, 0, cli_latency,
	  "SAMPLES: a file with a number a line. With two, the ratio of the first\n"
	  "to the second for each percentile that the samples can carry." },
};

// clang-format off
static const struct {
	struct option opt;
	uint32_t bit; /* 0: every verb takes it */
	const char *arg, *help;
	size_t at; /* in struct cli: with an argument a text, else a bool */
} options[] = {
	{ { "json", no_argument, NULL, 'j' }, 0,
	  "", "print JSON", offsetof(struct cli, json) },
	{ { "help", no_argument, NULL, 'h' }, 0,
	  "", "this text, or a verb's", 0 },
	{ { "version", no_argument, NULL, 'V' }, 0,
	  "", "print the version", 0 },
	{ { "socket", required_argument, NULL, 's' }, CLI_OPT_SOCKET,
	  " PATH", "netd's socket (" NETD_SOCKET ")",
	  offsetof(struct cli, socket) },
	{ { "root", required_argument, NULL, 'r' }, CLI_OPT_ROOT,
	  " DIR", "look at a recorded tree instead of /",
	  offsetof(struct cli, root) },
	{ { "report", required_argument, NULL, 'p' }, CLI_OPT_REPORT,
	  " FILE", "counters of the VMM, a JSON line on SIGUSR1 and at the end",
	  offsetof(struct cli, report) },
	{ { "user", required_argument, NULL, 'u' }, CLI_OPT_USER,
	  " NAME",
	  "account of the VMM when started by root (fairlead, else nobody)",
	  offsetof(struct cli, user) },
	{ { "no-reboot", no_argument, NULL, 'n' }, CLI_OPT_NO_REBOOT,
	  "", "end when the guest resets", offsetof(struct cli, no_reboot) },
	{ { "now", no_argument, NULL, 'w' }, CLI_OPT_NOW,
	  "", "do not ask the guest: pull the device, end it",
	  offsetof(struct cli, now) },
	{ { "to-standby", no_argument, NULL, 'y' }, CLI_OPT_STANDBY,
	  "", "take the VF away, no more", offsetof(struct cli, to_standby) },
	{ { "back", no_argument, NULL, 'b' }, CLI_OPT_BACK,
	  "", "give the VF back, no more", offsetof(struct cli, back) },
	{ { "grace", required_argument, NULL, 'g' }, CLI_OPT_GRACE,
	  " SECONDS", "how long the guest has to power off (30)",
	  offsetof(struct cli, grace) },
	{ { "boot", no_argument, NULL, 'B' }, CLI_OPT_BOOT,
	  "", "all guests with `boot: auto`", offsetof(struct cli, boot) },
	{ { "serve", no_argument, NULL, 'v' }, CLI_OPT_SERVE,
	  "", "serve it over HTTP at the policy's host.metrics.listen",
	  offsetof(struct cli, serve) },
	{ { "format", required_argument, NULL, 'm' }, CLI_OPT_FORMAT,
	  " NAME", "of the policy FILE: libvirt, device-plugin or openstack",
	  offsetof(struct cli, format) },
	{ { "confirm-within", required_argument, NULL, 'c' }, CLI_OPT_WITHIN,
	  " TIME", "roll back unless confirmed: 120s, 2m; 0: keep",
	  offsetof(struct cli, within) },
	{ { "allow-disruption", required_argument, NULL, 'D' },
	  CLI_OPT_DISRUPTION,
	  " WHAT", "none, none-in-use or allow: over the policy's budget",
	  offsetof(struct cli, disruption) },
	{ { "early", no_argument, NULL, 'e' }, CLI_OPT_EARLY,
	  "", "leave what waits for the host's network to a later one",
	  offsetof(struct cli, early) },
	{ { "wait", required_argument, NULL, 'W' }, CLI_OPT_WAIT,
	  " TIME", "until nothing would be left with --early, at most so long",
	  offsetof(struct cli, wait) },
	{ { "commands", no_argument, NULL, 'm' }, CLI_OPT_COMMANDS,
	  "", "print the shell lines alone, in order",
	  offsetof(struct cli, commands) },
	{ { "read-only", no_argument, NULL, 'o' }, CLI_OPT_READ_ONLY,
	  "", "look on, type nothing", offsetof(struct cli, read_only) },
	{ { "log", no_argument, NULL, 'l' }, CLI_OPT_LOG,
	  "", "print what the console said last (64 KiB), and end",
	  offsetof(struct cli, log) },
	{ { "force", no_argument, NULL, 'f' }, CLI_OPT_FORCE,
	  "", "change what another program sets, too",
	  offsetof(struct cli, force) },
	{ { "hold", required_argument, NULL, 'H' }, CLI_OPT_HOLD,
	  " NAME", "who holds the VF, until it is released",
	  offsetof(struct cli, hold) },
	{ { "device", required_argument, NULL, 'd' }, CLI_OPT_DEVICE,
	  " BDF", "that VF of the pool, and no other",
	  offsetof(struct cli, device) },
	{ { "attributes", required_argument, NULL, 'a' }, CLI_OPT_ATTRIBUTES,
	  " JSON",
	  "what the VF is to have: mac, vlan, trust, ... (fairlead(8))",
	  offsetof(struct cli, attributes) },
	{ { "numa", required_argument, NULL, 'N' }, CLI_OPT_PLACE,
	  " NODE", "a VF at that memory node, as the kernel tells it",
	  offsetof(struct cli, node) },
	{ { "pcie-root", required_argument, NULL, 'R' }, CLI_OPT_PLACE,
	  " BDF", "a VF below that root port",
	  offsetof(struct cli, pcie_root) },
	{ { "sim", required_argument, NULL, 'S' }, CLI_OPT_SIM,
	  " DIR",
	  "a machine recorded by `fairlead record`, instead of this one",
	  offsetof(struct cli, sim) },
	{ { "anonymize", no_argument, NULL, 'A' }, CLI_OPT_ANONYMIZE,
	  "", "MACs become 02:00:00:00:00:01 and up",
	  offsetof(struct cli, anonymize) },
};
// clang-format on

static void usage(FILE *out)
{
	fprintf(out, "usage: fairlead [OPTIONS] VERB [ARGUMENTS]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(out, "  %-8s %-18s %s\n", verbs[i].name, verbs[i].args,
		        verbs[i].summary);
	fprintf(out, "\n");
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		fprintf(out, "  --%s%s%*s %s\n", options[i].opt.name,
		        options[i].arg,
		        (int)(20 - strlen(options[i].opt.name) -
		              strlen(options[i].arg)),
		        "", options[i].help);
	fprintf(out,
	        "\nexit status: 0 done, 1 refused or not as wanted, 2 usage, "
	        "3 fairlead-netd does not answer,\n4 internal; `run`: see "
	        "its --help. FL-nnnn: docs/errors.md\n");
}

static void usage_verb(const struct cli_verb *v)
{
	printf("usage: fairlead %s %s\n  %s\n\n%s\n", v->name, v->args,
	       v->summary, v->help);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (!options[i].bit || (options[i].bit & v->options))
			printf("  --%s%s  %s\n", options[i].opt.name,
			       options[i].arg, options[i].help);
}

static const struct cli_verb *find_verb(const char *name)
{
	const char *names[ARRAY_SIZE(verbs)], *near;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
		names[i] = verbs[i].name;
	}
	near = nearest_word(name, names, ARRAY_SIZE(verbs));
	fprintf(stderr, "fairlead: unknown verb \"%s\"", name);
	if (near)
		fprintf(stderr, "; did you mean \"%s\"?", near);
	fprintf(stderr, "\n  mend: fairlead --help\n");
	return NULL;
}

struct parsed {
	struct cli cli;
	uint32_t given; /* CLI_OPT_* */
	bool help, version;
};

/* getopt_long() gives a long option's row from here on, so that no two can be
 * taken for one another; a short one its letter. */
#define LONG_FIRST 256

static size_t row_of(int opt)
{
	size_t i = 0;

	if (opt >= LONG_FIRST)
		return (size_t)(opt - LONG_FIRST);
	while (options[i].opt.val != opt)
		i++;
	return i;
}

static void take(struct parsed *p, size_t i, const char *arg)
{
	const struct option *o = &options[i].opt;
	void *to = (char *)&p->cli + options[i].at;

	p->help |= o->val == 'h';
	p->version |= o->val == 'V';
	if (o->val == 'h' || o->val == 'V')
		return;
	p->given |= options[i].bit;
	if (o->has_arg)
		*(const char **)to = arg;
	else
		*(bool *)to = true;
}

static int parse(int argc, char **argv, struct parsed *p)
{
	struct option longs[ARRAY_SIZE(options) + 1] = { 0 };
	int opt;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		longs[i] = options[i].opt;
		longs[i].val = LONG_FIRST + (int)i;
	}
	while ((opt = getopt_long(argc, argv, "jhV", longs, NULL)) != -1) {
		if (opt == '?')
			return -EINVAL;
		take(p, row_of(opt), optarg);
	}
	return 0;
}

static int dispatch(const struct parsed *p, const struct cli_verb *v,
                    char *const *args, unsigned n)
{
	if (p->help) {
		usage_verb(v);
		return CLI_OK;
	}
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (!(options[i].bit & p->given & ~v->options))
			continue;
		fprintf(stderr, "fairlead: %s does not take --%s\n", v->name,
		        options[i].opt.name);
		return CLI_USAGE;
	}
	if (n < v->min_args || n > v->max_args) {
		fprintf(stderr, "usage: fairlead %s %s\n", v->name, v->args);
		return CLI_USAGE;
	}
	return v->run(&p->cli, args, n);
}

/* What could not be printed was not done. */
static int end(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	perror("fairlead: cannot write the output");
	return CLI_INTERNAL;
}

int main(int argc, char **argv)
{
	struct parsed p = {
		.cli = { .socket = NETD_SOCKET, .root = "/", .self = argv[0] },
	};
	const struct cli_verb *v;

	if (!strcmp(strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0],
	            "fairlead-cni"))
		return end(cni_main());
	if (parse(argc, argv, &p) < 0)
		return CLI_USAGE;
	if (p.version) {
		printf("fairlead " FL_VERSION "\n");
		return CLI_OK;
	}
	if (optind >= argc) {
		usage(p.help ? stdout : stderr);
		return p.help ? CLI_OK : CLI_USAGE;
	}
	v = find_verb(argv[optind]);
	if (!v)
		return CLI_USAGE;
	return end(dispatch(&p, v, argv + optind + 1,
	                    (unsigned)(argc - optind - 1)));
}
