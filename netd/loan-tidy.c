/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loans of connections that are gone, and that nobody gives back: looked for
 * when netd starts, and with each look at the machine. So are macvtaps. */

#include <stdio.h>
#include <string.h>

#include "netd/ledger.h"
#include "netd/macvtap.h"

static bool is_orphan(const struct env *e, const struct ledger_fn *f)
{
	return *f->loan.holder == '@' &&
	       !(e->lives && e->lives(e->server, f->loan.holder));
}

static bool is_over(const struct env *e, const struct ledger_fn *f)
{
	struct sriov_holder h;

	return is_orphan(e, f) && !sriov_holder(e->root_fd, f->bdf, &h);
}

bool loan_orphans(struct work *w)
{
	struct ledger book = { 0 };
	bool any = false;

	if (ledger_read(w->env, &book, NULL))
		return false;
	for (size_t i = 0; !any && i < book.n; i++)
		any = is_over(w->env, &book.fn[i]);
	ledger_free(&book);
	return any;
}

/* Loans of connections that an earlier netd had, that ended before their
 * function was let go of, or whose return went wrong. One whose function is
 * still open stays, and is asked after again. A loan that is just being made
 * has its connection: both change something, and this begins after that. */
int verb_tidy(struct work *w)
{
	struct ledger book = { 0 };
	int e = ledger_read(w->env, &book, &w->diag);

	for (size_t i = 0; !e && i < book.n; i++) {
		if (!is_over(w->env, &book.fn[i]))
			continue;
		memcpy(w->req.holder, book.fn[i].loan.holder,
		       sizeof(w->req.holder));
		e = verb_return(w);
	}
	ledger_free(&book);
	macvtap_tidy(w);
	return e;
}
