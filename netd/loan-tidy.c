/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loans of connections that are gone, and that nobody gives back: looked for
 * when netd starts, and with each look at the machine. So are macvtaps. */

#include <stdio.h>
#include <string.h>

#include "netd/ledger.h"
#include "netd/macvtap.h"

static bool is_orphan(const struct env *e, const struct ledger_fn *f)
{
	char mine[32];

	snprintf(mine, sizeof(mine), "@%llx-", (unsigned long long)e->start);
	return *f->loan.holder == '@' &&
	       strncmp(f->loan.holder, mine, strlen(mine)) != 0;
}

static bool is_over(const struct env *e, const struct ledger_fn *f)
{
	struct sriov_holder h;

	return is_orphan(e, f) && !sriov_holder(e->root_fd, f->bdf, &h);
}

/* The connection is not told of again: as if an earlier netd had had it. */
void loan_leave(struct work *w, struct ledger *l, struct ledger_fn *f)
{
	struct diag said = { 0 };
	char b[BDF_STRLEN];

	if (*f->loan.holder != '@' || w->peer.pid)
		return;
	snprintf(f->loan.holder, sizeof(f->loan.holder), "@0-%d-%s-%llu",
	         f->loan.pid, bdf_format(f->bdf, b),
	         (unsigned long long)f->generation);
	if (ledger_write(w->env, l, &said))
		log_diag(w->env->log, LOG_LVL_WARN, &said);
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

/* Loans of connections that an earlier netd had, or that ended before their
 * function was let go of. One whose function is still open stays, and is asked
 * after again. */
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
