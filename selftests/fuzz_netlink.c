// SPDX-License-Identifier: GPL-2.0
/*
 * Hostile control: valid, nearly valid and random requests to every command,
 * from several threads, while connections carry data and are offloaded and
 * uploaded by the requests that are valid enough.
 *
 * Promised: every request is answered in time; what the specification refuses
 * is refused, in words, and changes nothing; only administrators change
 * anything; no byte is lost or changed, every connection can be uploaded and
 * closed, and nothing of it is left. That the kernel does not complain is seen
 * by the rig.
 *
 * The same seed and number always make the same message, but for the ids,
 * descriptors and ports in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "fuzz_flow.h"
#include "fuzz_msg.h"
#include "kselftest.h"

#define MAX_THREADS	64
#define STUCK		60	/* s in a system call */
#define SHOWN		4	/* complaints of one test */
#define NOBODY		65534
#define ACK_SEQ		0x7fffffff
#define ANSWER_ROOM	32768

#define HOW_FORBIDDEN	FUZZ_HOWS	/* any, by an ordinary user */
#define HOW_QUIET	(FUZZ_HOWS + 1)	/* any, one at a time */
#define HOW_SEEDS	(FUZZ_HOWS + 2)	/* those of the file, likewise */

/**
 * struct job - a number of messages of one kind
 * @how: what is wrong with them
 * @next: number of the next one
 * @end: number of the first one that is not to be sent
 * @admin: the sender is an administrator
 * @bad: messages that had the wrong outcome
 * @taken: messages that were not refused
 * @refused: messages that were
 * @done: for each command, requests that were not refused
 */
struct job {
	int how;
	atomic_long next;
	long end;
	bool admin;
	atomic_int bad;
	atomic_long taken;
	atomic_long refused;
	atomic_long done[FUZZ_OPS];
};

/**
 * struct worker - a thread that sends messages
 * @job: which ones
 * @thread: itself
 * @m: the message that is being sent
 * @number: its number
 * @since: since when, ms; 0 if there is none
 */
struct worker {
	struct job *job;
	pthread_t thread;
	struct fuzz_msg m;
	long number;
	atomic_long since;
};

/**
 * struct answer - what came back
 * @err: positive errno, 0 for success
 * @answered: there was an answer
 * @words: it had some
 * @odd: something else came
 */
struct answer {
	int err;
	bool answered;
	bool words;
	const char *odd;
};

static __u64 seed = 1;
static long messages, sent;
static long first;
static int threads = 4;
static const char *only;
static char here[PATH_MAX];	/* folder of this program */
static const char *seeds_file;
static FILE *kmsg;

static const char *how_name(int how)
{
	switch (how) {
	case HOW_FORBIDDEN:
		return "forbidden";
	case HOW_QUIET:
		return "quiet";
	case HOW_SEEDS:
		return "seeds";
	default:
		return fuzz_names[how];
	}
}

/* ---- messages as text --------------------------------------------------- */

/* A word that stands for a number of this run, NULL if there is none */
static const char *word_of(const struct fuzz_msg *m, size_t at, char *buf,
			   size_t *size)
{
	const struct nlattr *attr = (const void *)(m->buf + at - NLA_HDRLEN);
	bool dev = m->buf[sizeof(m->nlh)] <= CHIMNEY_CMD_DEV_NTF, top;
	__u32 value;
	__be16 port;
	int i;

	*size = 4;
	memcpy(&value, m->buf + at, sizeof(value));
	memcpy(&port, m->buf + at, sizeof(port));
	if (at == offsetof(struct nlmsghdr, nlmsg_seq))
		return "seq";
	if (at < FUZZ_BODY + NLA_HDRLEN)
		return NULL;
	/* Names of devices and connections come first. */
	top = at == FUZZ_BODY + NLA_HDRLEN;
	if (dev && top && attr->nla_type == CHIMNEY_A_DEV_IFINDEX &&
	    value == net_ifindex)
		return "ifindex";
	for (i = 0; !dev && top && i < FLOWS; i++) {
		if (attr->nla_type == CHIMNEY_A_CONN_ID && value == flows[i].id)
			sprintf(buf, "id%d", i);
		else if (attr->nla_type == CHIMNEY_A_CONN_FD &&
			 value == flows[i].pair.sk)
			sprintf(buf, "sock%d", i);
		else
			continue;
		return buf;
	}
	*size = 2;
	for (i = 0; !dev && i < FLOWS; i++) {
		if (port == flows[i].pair.tuple.lport)
			sprintf(buf, "lport%d", i);
		else if (port == flows[i].pair.tuple.rport)
			sprintf(buf, "rport%d", i);
		else
			continue;
		return buf;
	}
	return NULL;
}

static void print_message(FILE *f, const struct fuzz_msg *m)
{
	const char *word;
	char buf[16];
	size_t at = 0, size;

	while (at < m->len) {
		word = NULL;
		if (at == offsetof(struct nlmsghdr, nlmsg_type) &&
		    m->nlh.nlmsg_type == fuzz_table.family) {
			word = "family";
			size = 2;
		} else if (at % 4 == 0 && at + 4 <= m->len) {
			word = word_of(m, at, buf, &size);
		}
		if (word) {
			fprintf(f, " %s ", word);
			at += size;
		} else {
			fprintf(f, "%02x", m->buf[at++]);
		}
	}
	fprintf(f, "\n");
}

static void append(struct fuzz_msg *m, const void *data, size_t len)
{
	if (m->len + len > sizeof(m->buf))
		ksft_exit_fail_msg("%s: a message is too long\n", seeds_file);
	memcpy(m->buf + m->len, data, len);
	m->len += len;
}

static bool read_word(struct fuzz_msg *m, const char *word)
{
	const struct flow *f = &flows[word[strlen(word) - 1] - '0'];
	__u32 zero = 0;
	__u8 byte;

	if (!strcmp(word, "family")) {
		append(m, &fuzz_table.family, 2);
	} else if (!strcmp(word, "seq")) {
		append(m, &zero, 4);
	} else if (!strcmp(word, "ifindex")) {
		append(m, &net_ifindex, 4);
	} else if (f >= flows && f < flows + FLOWS && strspn(word, "ilrs")) {
		if (*word == 'i')
			append(m, &f->id, 4);
		else if (*word == 's')
			append(m, &f->pair.sk, 4);
		else if (*word == 'l')
			append(m, &f->pair.tuple.lport, 2);
		else
			append(m, &f->pair.tuple.rport, 2);
	} else {
		for (; *word; word += 2) {
			if (sscanf(word, "%2hhx", &byte) != 1 || !word[1])
				return false;
			append(m, &byte, 1);
		}
	}
	return true;
}

/* Line @n of the file, without the empty ones; false if there are not as many
 */
static bool read_seed(struct fuzz_msg *m, long n)
{
	char line[4 * FUZZ_ROOM], *word, *rest;
	FILE *f = fopen(seeds_file, "re");
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "#\n")] = '\0';
		if (!line[strspn(line, " \t")])
			continue;
		found = !n--;
	}
	if (f)
		fclose(f);
	if (!found)
		return false;
	memset(m, 0, sizeof(*m));
	for (word = strtok_r(line, " \t", &rest); word;
	     word = strtok_r(NULL, " \t", &rest))
		if (!read_word(m, word))
			ksft_exit_fail_msg("%s: what is %s?\n", seeds_file,
					   word);
	return m->len >= sizeof(m->nlh);
}

static void __attribute__((format(printf, 4, 5)))
complain(struct job *job, long number, const struct fuzz_msg *m,
	 const char *fmt, ...)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	va_list ap;

	if (job->bad++ >= SHOWN)
		return;
	pthread_mutex_lock(&lock);
	printf("# %s %ld: ", how_name(job->how), number);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	if (m) {
		printf("\n#   message: ");
		print_message(stdout, m);
		printf("#   again: make vm RUN='selftests/fuzz_netlink ");
		printf("-s %llu -o %s -i %ld -n 1'", seed, how_name(job->how),
		       number);
	}
	printf("\n");
	pthread_mutex_unlock(&lock);
}

/* ---- sending ------------------------------------------------------------ */

/* Remembers the id of a connection that a reply is about. */
static void learn(const struct nlmsghdr *nlh)
{
	const struct nlattr *attr, *sub;
	__be16 lport = 0;
	__u32 id = 0;
	int i;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) == CHIMNEY_A_CONN_ID)
			id = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) != CHIMNEY_A_CONN_CONST)
			continue;
		mnl_attr_for_each_nested(sub, attr)
			if (mnl_attr_get_type(sub) ==
			    CHIMNEY_A_CONST_LOCAL_PORT)
				lport = mnl_attr_get_u16(sub);
	}
	for (i = 0; i < FLOWS; i++)
		if (id && flows[i].pair.tuple.lport == lport)
			flows[i].id = id;
}

static void take_error(const struct nlmsghdr *nlh, const struct fuzz_msg *m,
		       struct answer *a)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	size_t skip = nlh->nlmsg_type == NLMSG_DONE ? sizeof(int) : sizeof(*e);
	const struct nlattr *attr;

	if (mnl_nlmsg_get_payload_len(nlh) < skip || e->error > 0) {
		a->odd = "an error that is none";
		return;
	}
	a->err = -e->error;
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	mnl_attr_for_each(attr, nlh, skip) {
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
			a->words = *mnl_attr_get_str(attr);
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_OFFS &&
		    mnl_attr_get_u32(attr) >= m->nlh.nlmsg_len)
			a->odd = "an attribute blamed beyond the end";
	}
}

/* Is there more in it than one message? What answers that gets is not known. */
static bool is_ragged(const struct fuzz_msg *m)
{
	return m->nlh.nlmsg_len != m->len;
}

/* Reads up to the end of the answer to @seq; false if it does not come. */
static bool await(int fd, __u32 seq, const struct fuzz_msg *m,
		  struct answer *a)
{
	char buf[ANSWER_ROOM];
	struct nlmsghdr *nlh;
	bool end = false;
	int len;

	while (!end) {
		len = recv(fd, buf, sizeof(buf), 0);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return false;
		for (nlh = (void *)buf; mnl_nlmsg_ok(nlh, len);
		     nlh = mnl_nlmsg_next(nlh, &len)) {
			bool last = nlh->nlmsg_type == NLMSG_ERROR ||
				    nlh->nlmsg_type == NLMSG_DONE;

			end |= last && nlh->nlmsg_seq == seq;
			if (last && nlh->nlmsg_seq == m->nlh.nlmsg_seq) {
				if (a->answered)
					a->odd = "a second answer";
				a->answered = true;
				take_error(nlh, m, a);
			} else if (nlh->nlmsg_type == fuzz_table.family) {
				learn(nlh);
			} else if (nlh->nlmsg_seq != seq && !is_ragged(m)) {
				a->odd = "an answer to nothing that was asked";
			}
		}
	}
	return true;
}

/* Sends a message and reads what comes back. Where that may be nothing, or
 * several things, something else is asked after it, to which there is one
 * answer.
 */
static bool ask(int fd, const struct fuzz_msg *m, struct answer *a)
{
	struct nlmsghdr after = {
		.nlmsg_len = sizeof(after),
		.nlmsg_type = NLMSG_NOOP,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		.nlmsg_seq = ACK_SEQ,
	};
	bool sure = fuzz_must_answer(m);

	memset(a, 0, sizeof(*a));
	if (send(fd, m->buf, m->len, 0) != m->len) {
		a->odd = "could not be sent";
		return true;
	}
	if (sure && !await(fd, m->nlh.nlmsg_seq, m, a))
		return false;
	if (sure && !is_ragged(m))
		return true;
	return send(fd, &after, sizeof(after), 0) == sizeof(after) &&
	       await(fd, ACK_SEQ, m, a);
}

static void count(struct job *job, const struct fuzz_msg *m,
		  enum fuzz_verdict verdict, int err)
{
	const struct genlmsghdr *genl = (const void *)(m->buf + sizeof(m->nlh));

	if (err)
		job->refused++;
	else
		job->taken++;
	if (verdict == FUZZ_MAY && !err)
		job->done[fuzz_find_op(genl->cmd) - fuzz_table.op]++;
}

/* Sends a message and sees whether it has the right outcome. Returns what came
 * back, negative if nothing did.
 */
static int try(struct worker *w, int fd)
{
	enum fuzz_verdict verdict;
	struct fuzz_msg *m = &w->m;
	struct job *job = w->job;
	long number = w->number;
	struct answer a;
	bool good;

	m->nlh.nlmsg_seq = (__u32)number % (ACK_SEQ - 1) + 1;
	verdict = fuzz_judge(m, job->admin, net_ifindex);
	if (kmsg) {
		fprintf(kmsg, "fuzz: %s %ld: ", how_name(job->how), number);
		print_message(kmsg, m);
		fflush(kmsg);
	}
	w->since = time_ms();
	good = ask(fd, m, &a);
	w->since = 0;
	if (!good) {
		complain(job, number, m, "no answer: %s", strerror(errno));
		return -1;
	}
	count(job, m, verdict, a.err);
	if (a.odd)
		complain(job, number, m, "%s", a.odd);
	else if (verdict == FUZZ_FORBID && a.err != EPERM)
		complain(job, number, m, "allowed to anyone: %s",
			 strerror(a.err));
	else if (verdict == FUZZ_IGNORE && a.err)
		complain(job, number, m, "no request, but refused: %s",
			 strerror(a.err));
	else if ((verdict == FUZZ_REFUSE || verdict == FUZZ_REFUSE_WHY) &&
		 !a.err)
		complain(job, number, m, "taken, against the specification");
	else if (verdict >= FUZZ_REFUSE_WHY && a.err && a.err != ENOMEM &&
		 !a.words)
		complain(job, number, m, "refused without a word: %s",
			 strerror(a.err));
	return a.err;
}

/* ---- messages by number ------------------------------------------------- */

/* Some commands oftener than others: connections have to be in the device. */
static const struct fuzz_op *some_op(struct fuzz_rng *r)
{
	static const int often[] = {
		CHIMNEY_CMD_CONN_OFFLOAD, CHIMNEY_CMD_CONN_OFFLOAD,
		CHIMNEY_CMD_CONN_OFFLOAD, CHIMNEY_CMD_CONN_UPDATE,
		CHIMNEY_CMD_CONN_UPDATE, CHIMNEY_CMD_DEV_RESUME,
	};
	unsigned int i = fuzz_below(r, fuzz_table.n + 6);

	return i < fuzz_table.n ? &fuzz_table.op[i] :
	       fuzz_find_op(often[i - fuzz_table.n]);
}

static bool make(const struct job *job, struct fuzz_msg *m, long number)
{
	struct fuzz_rng r = { .state = seed ^ (__u64)number << 20 ^
				       (__u64)job->how << 56 };
	struct fuzz_aim aim = { .ifindex = net_ifindex };
	const struct fuzz_op *op;
	const struct flow *f;
	int how = job->how;

	if (how == HOW_SEEDS)
		return read_seed(m, number);
	fuzz_random(&r);
	if (how >= FUZZ_HOWS)
		how = fuzz_below(&r, FUZZ_HOWS);
	op = some_op(&r);
	f = &flows[fuzz_below(&r, LIVE)];
	if (job->how == HOW_QUIET)
		f = &flows[op->cmd == CHIMNEY_CMD_CONN_OFFLOAD ? QUIET_HOST :
								 QUIET_NIC];
	aim.id = f->id;
	aim.tuple = f->pair.tuple;
	aim.fd = f->pair.sk;
	if (!fuzz_below(&r, 8))
		aim.fd = odd_fds[fuzz_below(&r, ODD_FDS)];
	fuzz_make(m, &r, how, op, &aim);
	fuzz_tame(m);
	return true;
}

/* ---- many at a time ----------------------------------------------------- */

static int nl_open_raw(struct chim_nl *nl)
{
	struct timeval limit = { .tv_sec = DEADLINE };
	int fd;

	if (chim_nl_open(nl))
		return -1;
	fd = mnl_socket_get_fd(nl->sock);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

/* The next message of the job, if there is one */
static bool next(struct worker *w)
{
	w->number = w->job->next++;
	return w->number < w->job->end && make(w->job, &w->m, w->number);
}

static void *many_run(void *arg)
{
	struct worker *w = arg;
	struct job *job = w->job;
	struct chim_nl nl;
	int fd;

	/* The call of the C library would be for all threads. */
	if (!job->admin &&
	    syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY)) {
		complain(job, 0, NULL, "still an administrator");
		return NULL;
	}
	fd = nl_open_raw(&nl);
	if (fd < 0) {
		complain(job, 0, NULL, "no netlink socket");
		return NULL;
	}
	while (job->bad < SHOWN && next(w) && try(w, fd) >= 0)
		;
	chim_nl_close(&nl);
	return NULL;
}

/* ---- one at a time, on connections without data ------------------------- */

/* What a refused message must not change, by name */
struct state {
	int n;
	struct {
		const char *what;
		int attr;
		__s64 value;
	} v[128];
};

static void state_add(struct state *s, const char *what, int attr, __s64 value)
{
	s->v[s->n].what = what;
	s->v[s->n].attr = attr;
	s->v[s->n++].value = value;
}

static void state_read(struct chim_nl *nl, struct state *s)
{
	static const int options[][2] = {
		{ SOL_SOCKET, SO_KEEPALIVE }, { SOL_TCP, TCP_KEEPIDLE },
		{ SOL_TCP, TCP_KEEPINTVL }, { SOL_TCP, TCP_KEEPCNT },
		{ SOL_TCP, TCP_USER_TIMEOUT }, { SOL_TCP, TCP_NODELAY },
		{ SOL_SOCKET, SO_PRIORITY }, { SOL_TCP, TCP_WINDOW_CLAMP },
	};
	/* Windows, timestamps and the like change with keepalive probes. */
	static const int delegated[] = {
		CHIMNEY_A_DELEGATED_STATE, CHIMNEY_A_DELEGATED_RCV_NXT,
		CHIMNEY_A_DELEGATED_SND_UNA, CHIMNEY_A_DELEGATED_SND_NXT,
		CHIMNEY_A_DELEGATED_SND_MAX,
	};
	const struct chim_nl_tuple *t = &flows[QUIET_NIC].pair.tuple;
	struct chim_nl_conn c = {};
	struct chim_nl_dev dev = {};
	int i;

	s->n = 0;
	state_add(s, "dev-get", 0, chim_nl_dev(nl, net_ifindex, &dev));
	/* Not the number of connections, which may come back by themselves */
	for (i = 1; i <= CHIMNEY_A_DEV_CAP_SACK; i++)
		if (i != CHIMNEY_A_DEV_CONNS)
			state_add(s, "dev", i, dev.dev[i]);
	state_add(s, "conn-get", 0, chim_nl_get(nl, t, &c));
	for (i = 1; i <= CHIMNEY_A_CONN_MAX; i++)
		state_add(s, "conn", i, c.conn[i]);
	for (i = 1; i <= CHIMNEY_A_CONST_MAX; i++)
		state_add(s, "const", i, c.constant[i]);
	for (i = 1; i <= CHIMNEY_A_CACHED_MAX; i++)
		state_add(s, "cached", i, c.cached[i]);
	for (i = 0; i < ARRAY_SIZE(delegated); i++)
		state_add(s, "delegated", delegated[i],
			  c.delegated[delegated[i]]);
	state_add(s, "not offloaded", 0,
		  chim_nl_get(nl, &flows[QUIET_HOST].pair.tuple, &c));
	for (i = 0; i < ARRAY_SIZE(options); i++)
		state_add(s, "socket option", options[i][1],
			  get_int(flows[QUIET_HOST].pair.sk, options[i][0],
				  options[i][1]));
}

/* Brings everything to where it belongs, and reads it. */
static bool state_set(struct chim_nl *nl, struct state *s)
{
	struct chim_nl_conn c;

	chim_nl_dev_do(nl, net_ifindex, CHIMNEY_CMD_DEV_RESUME);
	chim_nl_terminate(nl, &flows[QUIET_HOST].pair.tuple, NULL);
	if (chim_nl_get(nl, &flows[QUIET_NIC].pair.tuple, &c) &&
	    chim_nl_offload(nl, &flows[QUIET_NIC].pair.tuple, &c))
		return false;
	flows[QUIET_NIC].id = c.conn[CHIMNEY_A_CONN_ID];
	state_read(nl, s);
	return chim_nl_get(nl, &flows[QUIET_HOST].pair.tuple, &c) == -ENOENT;
}

static bool state_same(const struct worker *w, struct chim_nl *nl,
		       const struct state *before)
{
	bool same = true;
	struct state s;
	int i;

	state_read(nl, &s);
	for (i = 0; i < s.n; i++) {
		if (s.v[i].value == before->v[i].value)
			continue;
		same = false;
		complain(w->job, w->number, &w->m,
			 "refused, but %s %d is %lld, was %lld",
			 s.v[i].what, s.v[i].attr, s.v[i].value,
			 before->v[i].value);
	}
	return same;
}

static void *quiet_run(void *arg)
{
	struct worker *w = arg;
	struct job *job = w->job;
	struct chim_nl nl, own;
	struct state before;
	int fd, err;

	fd = nl_open_raw(&nl);
	if (fd < 0 || chim_nl_open(&own)) {
		complain(job, 0, NULL, "no netlink socket");
		return NULL;
	}
	if (!state_set(&own, &before))
		complain(job, 0, NULL, "cannot be offloaded: %s", own.msg);
	while (job->bad < SHOWN && next(w)) {
		err = try(w, fd);
		if (err < 0)
			break;
		if (err && state_same(w, &own, &before))
			continue;
		if (!state_set(&own, &before))
			complain(job, w->number, &w->m, "no way back: %s",
				 own.msg);
	}
	chim_nl_close(&nl);
	chim_nl_close(&own);
	return NULL;
}

/* ---- threads ------------------------------------------------------------ */

static bool is_stuck(const struct worker *w, int n)
{
	long since;
	int i;

	for (i = 0; i < n; i++) {
		since = w[i].since;
		if (since && time_ms() - since > STUCK * 1000)
			return true;
	}
	return false;
}

/* Waits for a thread, as long as none of them waits too long for the kernel. */
static void join(const struct worker *w, int n, int i)
{
	struct timespec ts;

	do {
		if (is_stuck(w, n)) {
			for (i = 0; i < n; i++)
				if (w[i].since)
					complain(w->job, w[i].number, &w[i].m,
						 "no end");
			ksft_exit_fail_msg("stuck; -t 1 -v tells more\n");
		}
		clock_gettime(CLOCK_REALTIME, &ts);
		ts.tv_sec++;
	} while (pthread_timedjoin_np(w[i].thread, NULL, &ts));
}

static bool job_do(struct job *job)
{
	static struct worker w[MAX_THREADS];
	bool quiet = job->how == HOW_QUIET || job->how == HOW_SEEDS;
	int n = quiet ? 1 : threads, i;
	time_t start = time_ms();

	for (i = 0; i < n; i++) {
		w[i].job = job;
		w[i].since = 0;
		if (pthread_create(&w[i].thread, NULL,
				   quiet ? quiet_run : many_run, &w[i]))
			ksft_exit_fail_msg("no thread\n");
	}
	for (i = 0; i < n; i++)
		join(w, n, i);
	printf("# %ld taken, %ld refused in %ld ms\n", job->taken,
	       job->refused, time_ms() - start);
	sent += job->taken + job->refused;
	/* Else most of it tests nothing. */
	for (i = 0; job->how == FUZZ_VALID && i < fuzz_table.n; i++)
		if (!job->done[i] && job->end - first > 100 * fuzz_table.n)
			complain(job, 0, NULL, "no %s was good enough",
				 fuzz_table.op[i].name);
	return !job->bad;
}

/* Sockets of this namespace, those included that nobody has open any more */
static int sockets_used(void)
{
	FILE *f = fopen("/proc/thread-self/net/sockstat", "re");
	int n = -1;

	if (!f || fscanf(f, "sockets: used %d", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

/* ---- tests -------------------------------------------------------------- */

static bool wanted(int how)
{
	return !only || !strcmp(only, how_name(how));
}

/* All the same, but for the quiet ones, which take ten times as long. */
static void test(int how, const char *what)
{
	long quarter = messages / (4 * HOW_QUIET + 1) + 1;
	struct job job = {
		.how = how,
		.next = first,
		.end = first + quarter * (how == HOW_QUIET ? 1 : 4),
		.admin = how != HOW_FORBIDDEN,
	};

	if (!wanted(how))
		return;
	if (only)
		job.end = first + messages;
	if (how == HOW_SEEDS && !only)
		job.end = LONG_MAX;
	ksft_test_result(job_do(&job), "%s: %s\n", how_name(how), what);
}

static const struct {
	int how;
	const char *what;
} tests[] = {
	{ HOW_SEEDS, "messages that once did harm do none" },
	{ FUZZ_VALID, "valid messages are answered" },
	{ FUZZ_MISSING, "an attribute is missing" },
	{ FUZZ_DOUBLED, "an attribute comes twice" },
	{ FUZZ_LENGTH, "an attribute has the wrong length" },
	{ FUZZ_RANGE, "a value is out of range" },
	{ FUZZ_TYPE, "an attribute is of another type" },
	{ FUZZ_NESTING, "nests that are none, or too deep" },
	{ FUZZ_TRUNCATED, "a message is cut off" },
	{ FUZZ_HEADER, "wrong headers" },
	{ FUZZ_RANDOM, "random bytes" },
	{ HOW_FORBIDDEN, "only administrators change anything" },
	{ HOW_QUIET, "a refused message changes nothing" },
};

static void usage(void)
{
	printf("fuzz_netlink [-v] [-s SEED] [-n MESSAGES] [-t THREADS]\n"
	       "             [-o TEST [-i FIRST]] [-f FILE]\n"
	       "  -o TEST   only the messages of this test\n"
	       "  -i FIRST  begin with the message of this number\n"
	       "  -f FILE   messages to send first, as complaints print them\n"
	       "  -v        to the kernel's log before it is sent, each\n");
	exit(1);
}

static void options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "s:n:t:o:i:f:v")) != -1) {
		switch (c) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			messages = atol(optarg);
			break;
		case 't':
			threads = atoi(optarg);
			break;
		case 'o':
			only = optarg;
			break;
		case 'i':
			first = atol(optarg);
			break;
		case 'f':
			seeds_file = optarg;
			break;
		case 'v':
			run("sysctl -qw kernel.printk_devkmsg=on");
			kmsg = fopen("/dev/kmsg", "we");
			break;
		default:
			usage();
		}
	}
	if (!messages)
		messages = kernel_watches() ? 20000 : 100000;
	if (threads < 1 || threads > MAX_THREADS || messages < 1 || first < 0)
		usage();
}

int main(int argc, char **argv)
{
	char command[PATH_MAX + 64], seeds[PATH_MAX + 32];
	struct chim_nl nl;
	struct chim_nl_dev dev;
	int used, i, plan = 2;
	bool good;

	setlinebuf(stdout);
	options(argc, argv);
	ksft_print_header();
	printf("# fuzz_netlink -s %llu -n %ld -t %d\n", seed, messages,
	       threads);
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		plan += wanted(tests[i].how);
	ksft_set_plan(plan);

	if (!realpath("/proc/self/exe", here))
		ksft_exit_fail_msg("where am I?\n");
	dirname(here);
	snprintf(seeds, sizeof(seeds), "%s/fuzz_netlink.seeds", here);
	if (!seeds_file)
		seeds_file = seeds;
	if (access(seeds_file, R_OK))
		ksft_exit_fail_msg("no %s\n", seeds_file);
	snprintf(command, sizeof(command), "python3 -B '%s/spec.py' requests",
		 here);
	if (!fuzz_read_table(command))
		ksft_exit_fail_msg("what the kernel takes is not known\n");
	if (chim_nl_open(&nl))
		ksft_exit_fail_msg("no netlink socket\n");
	used = sockets_used();
	if (!flows_open() || pump_start())
		ksft_exit_fail_msg("no connections\n");

	for (i = 0; i < ARRAY_SIZE(tests); i++)
		test(tests[i].how, tests[i].what);

	chim_nl_dev(&nl, net_ifindex, &dev);
	printf("# figure: %ld messages\n", sent);
	printf("# %llu offloads, %llu uploads, %llu refused; %ld bytes\n",
	       dev.dev[CHIMNEY_A_DEV_OFFLOADS], dev.dev[CHIMNEY_A_DEV_UPLOADS],
	       dev.dev[CHIMNEY_A_DEV_REFUSED], pumped);
	pump_end();
	good = flows_close(&nl);
	ksft_test_result(good && (only || dev.dev[CHIMNEY_A_DEV_OFFLOADS]),
			 "connections are unharmed\n");
	good = until(sockets_used() == used);
	if (!good)
		printf("# %d sockets, %d before\n", sockets_used(), used);
	ksft_test_result(good, "nothing of them is left\n");
	chim_nl_close(&nl);
	ksft_finished();
}
