/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes over a socket to the host, or from it, in a guest that has no library.
 *
 *   guest-vsock listen PORT         what comes goes to standard output
 *   guest-vsock connect CID PORT    standard input goes there
 */

#include <errno.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "guest-vsock: %s: %s\n", what, strerror(errno));
	return 1;
}

static int pump(int from, int to)
{
	static char buf[65536];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		for (ssize_t done = 0; done < n;) {
			ssize_t w = write(to, buf + done, (size_t)(n - done));

			if (w < 0)
				return fail("write");
			done += w;
		}
	return n < 0 ? fail("read") : 0;
}

static int listen_at(int s, struct sockaddr_vm *a)
{
	int c;

	if (bind(s, (struct sockaddr *)a, sizeof(*a)) < 0 || listen(s, 1) < 0)
		return fail("listen");
	c = accept(s, NULL, NULL);
	return c < 0 ? fail("accept") : pump(c, 1);
}

int main(int argc, char **argv)
{
	struct sockaddr_vm a = { .svm_family = AF_VSOCK };
	int s = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (s < 0)
		return fail("socket");
	if (argc == 3 && !strcmp(argv[1], "listen")) {
		a.svm_cid = VMADDR_CID_ANY;
		a.svm_port = (unsigned)atoi(argv[2]);
		return listen_at(s, &a);
	}
	if (argc != 4 || strcmp(argv[1], "connect"))
		return 2;
	a.svm_cid = (unsigned)atoi(argv[2]);
	a.svm_port = (unsigned)atoi(argv[3]);
	if (connect(s, (struct sockaddr *)&a, sizeof(a)) < 0)
		return fail("connect");
	return pump(0, s);
}
