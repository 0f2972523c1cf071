/* SPDX-License-Identifier: GPL-2.0 */
/*
 * TCP chimney offload: types shared by the files of this module.
 */
#ifndef _CHIM_CHIMNEY_H
#define _CHIM_CHIMNEY_H

#include <linux/netdevice.h>
#include <linux/refcount.h>
#include <linux/u64_stats_sync.h>
#include <linux/workqueue.h>
#include <net/net_trackers.h>
#include <net/sock.h>

#include "compat.h"
#include "offload.h"

#define CHIM_VERSION	"0.1"

#define CHIM_DEFAULT_HZ			1000
#define CHIM_DEFAULT_MAX_CONNS		65536
#define CHIM_DEFAULT_ACK_FREQUENCY	2
#define CHIM_DEFAULT_DELAYED_ACK	40	/* ms */
#define CHIM_DEFAULT_MAX_RTX		15
#define CHIM_DEFAULT_DUPACKS		3
#define CHIM_DEFAULT_FIN_WAIT2		0	/* ms, 0 = no timer */

/**
 * struct chim_params - what "dev set" changes [PAR-2..11]
 * @hz: ticks per second on the control interface: 10, 100 or 1000
 * @max_conns: most connections at one time
 * @ack_frequency: full segments before an ACK, 1..255
 * @delayed_ack: longest delay of an ACK, ms, below 500 (RFC 9293)
 * @max_rtx: retransmissions of one segment before giving up, 1..255
 * @dupacks: duplicate ACKs before fast retransmit, 1..255
 * @fin_wait2: FIN_WAIT_2 timer, ms; 0 = none, as Linux does for a socket that
 *	a program still holds [FW2-1]
 *
 * Written under rtnl_mutex, read with READ_ONCE().
 */
struct chim_params {
	u32 hz;
	u32 max_conns;
	u32 ack_frequency;
	u32 delayed_ack;
	u32 max_rtx;
	u32 dupacks;
	u32 fin_wait2;
};

/* Counters of ethtool -S, in this order; names in ethtool.c. */
enum chim_counter {
	CHIM_CNT_OFFLOADS,		/* connections taken down */
	CHIM_CNT_UPLOADS,		/* connections given back */
	CHIM_CNT_REFUSED,		/* offloads refused */
	CHIM_CNT_RX_SEGS,		/* segments the NIC processed */
	CHIM_CNT_TX_SEGS,		/* segments the NIC sent */
	CHIM_CNT_RTX_SEGS,		/* of these, retransmissions */
	CHIM_CNT_RTO,			/* retransmission timeouts */
	CHIM_CNT_KEEPALIVE_PROBES,
	CHIM_CNT_WINDOW_PROBES,
	CHIM_CNT_CHALLENGE_ACKS,
	CHIM_CNT_PAWS_DROPS,
	CHIM_CNT_CSUM_ERRORS,
	CHIM_CNT_OOO_SEGS,		/* received out of order */
	CHIM_CNT_RX_NO_ROOM,		/* dropped: receive buffer full */
	CHIM_CNT_HOST_SWALLOWED,	/* sent by the host while offloaded */
	CHIM_CNT_FORWARDED,		/* segments the host passed down */
	CHIM_CNT_ALLOC_FAILED,		/* could not build a segment */
	CHIM_CNT_MAX
};

/**
 * struct chim_counters - what a device keeps for each CPU
 * @v: values, indexed by &enum chim_counter
 * @syncp: for 32-bit readers
 * @rx_seq: odd while a frame is on its way up through the stack
 */
struct chim_counters {
	u64_stats_t v[CHIM_CNT_MAX];
	struct u64_stats_sync syncp;
	unsigned int rx_seq;
};

/**
 * enum chim_fault - what can be made to go wrong, by debugfs
 * @CHIM_FAULT_REFUSE: so many connections are refused
 * @CHIM_FAULT_RUN_OUT: so many buffers are not to be had
 * @CHIM_FAULT_LOSE: so many indications do not reach the host
 * @CHIM_FAULT_STALL: while set, nothing goes in or out
 * @CHIM_FAULT_DIE: while set, the hardware is broken [UPL-1]
 * @CHIM_FAULT_MAX: number of faults
 */
enum chim_fault {
	CHIM_FAULT_REFUSE,
	CHIM_FAULT_RUN_OUT,
	CHIM_FAULT_LOSE,
	CHIM_FAULT_STALL,
	CHIM_FAULT_DIE,
	CHIM_FAULT_MAX
};

/**
 * struct chim_dev - a chimney device, netdev_priv()
 * @dev: the device itself
 * @lower: the device below; set for the life of the device
 * @lower_tracker: reference to @lower
 * @params: see there
 * @conns: connections present, also those on their way
 * @paused: new offloads are refused [STI-1]; under rtnl_mutex
 * @closing: device goes down: refuse, and conns are being uploaded
 * @counters: per-CPU
 * @faults: how often each is still to happen, indexed by &enum chim_fault
 * @fault_dir: where they are set
 */
struct chim_dev {
	struct net_device *dev;
	struct net_device *lower;
	netdevice_tracker lower_tracker;
	struct chim_params params;
	atomic_t conns;
	bool paused;
	bool closing;
	struct chim_counters __percpu *counters;
#ifdef CONFIG_DEBUG_FS
	atomic_t faults[CHIM_FAULT_MAX];
	struct dentry *fault_dir;
#endif
};

static inline void chim_count_add(struct chim_dev *cd, enum chim_counter c,
				  u32 n)
{
	struct chim_counters *cnt = get_cpu_ptr(cd->counters);
	unsigned long flags;

	flags = u64_stats_update_begin_irqsave(&cnt->syncp);
	u64_stats_add(&cnt->v[c], n);
	u64_stats_update_end_irqrestore(&cnt->syncp, flags);
	put_cpu_ptr(cd->counters);
}

static inline void chim_count(struct chim_dev *cd, enum chim_counter c)
{
	chim_count_add(cd, c, 1);
}

/**
 * struct chim_conn - the host's handle of an offloaded connection
 * @sk: the socket, reference held
 * @nic: the NIC's handle
 * @cd: device, a netdev reference held through @dev_tracker
 * @dev_tracker: see @cd
 * @ref: references: table, socket, running work, netlink requests
 * @id: name on the control interface
 * @place: enum chimney_place; written under the sock lock
 * @reason: why an upload was asked for or made; 0 if none was. Anyone may ask,
 *	so it changes by cmpxchg while @place is CHIMNEY_PLACE_NIC
 * @posted_seq: send data below has been given to the NIC; under slock
 * @fin_posted: so has the FIN; under slock
 * @mtup_enabled: saved icsk_mtup.enabled
 * @upload_work: upload on behalf of the NIC or of a softirq
 * @rcu: for lookups that find it without references
 */
struct chim_conn {
	struct sock *sk;
	struct nic_conn *nic;
	struct chim_dev *cd;
	netdevice_tracker dev_tracker;
	refcount_t ref;
	u32 id;
	u32 reason;
	u8 place;
	bool fin_posted;
	bool mtup_enabled;
	u32 posted_seq;
	union {
		struct work_struct upload_work;
		struct rcu_head rcu;
	};
};

/* Which members of a chim_update are given; one-shot triggers beside them. */
#define CHIM_SET_KEEP_ALIVE	BIT(0)
#define CHIM_SET_NAGLING	BIT(1)
#define CHIM_SET_KA_PROBE_COUNT	BIT(2)
#define CHIM_SET_KA_TIMEOUT	BIT(3)
#define CHIM_SET_KA_INTERVAL	BIT(4)
#define CHIM_SET_MAX_RT		BIT(5)
#define CHIM_SET_RCV_WND	BIT(6)
#define CHIM_SET_INDICATION	BIT(7)
#define CHIM_SET_FLOW_LABEL	BIT(8)
#define CHIM_SET_TTL		BIT(9)
#define CHIM_SET_TOS		BIT(10)
#define CHIM_SET_PRIORITY	BIT(11)

/**
 * struct chim_update - a change of cached state asked for by an administrator
 * @set: CHIM_SET_*: which members of @cached count
 * @triggers: one-shot flags of enum chimney_cached_flag
 * @cached: the values
 */
struct chim_update {
	u32 set;
	u32 triggers;
	struct chim_cached cached;
};

/* main.c */
extern struct workqueue_struct *chim_wq;

/* dev.c APIs: */
extern struct rtnl_link_ops chim_link_ops;
struct chim_dev *chim_dev_from(struct net_device *dev);
void chim_dev_counters(struct chim_dev *cd, u64 *v);
void chim_dev_rx_wait(struct chim_dev *cd);
int chim_dev_newlink(struct net_device *dev,
		     struct rtnl_newlink_params *params,
		     struct netlink_ext_ack *extack);
int chim_dev_init(void);
void chim_dev_exit(void);

/* ethtool.c APIs: */
extern const struct ethtool_ops chim_ethtool_ops;

/* netlink.c APIs: */
void chim_nl_notify_conn(struct chim_conn *conn, u8 cmd,
			 const struct chim_state *st);
void chim_nl_notify_dev(struct chim_dev *cd);
int chim_nl_init(void);
void chim_nl_exit(void);

/* host_offload.c APIs: */
int chim_host_offload(struct sock *sk, const struct chim_update *upd,
		      struct chim_conn **connp, struct chim_state *st,
		      struct netlink_ext_ack *extack);
int chim_host_update(struct chim_conn *conn, const struct chim_update *upd,
		     struct chim_state *st, struct netlink_ext_ack *extack);
int chim_host_upload(struct chim_conn *conn, u8 reason, struct chim_state *st);
void chim_host_upload_dev(struct chim_dev *cd, u8 reason);
void chim_host_query(struct chim_conn *conn, struct chim_state *st);
void chim_host_request_upload(struct chim_conn *conn, u8 reason);
struct chim_conn *chim_host_get_conn(struct net *net, u32 id);
struct chim_conn *chim_host_next_conn(struct net *net, u32 *id);
struct chim_conn *chim_host_conn_of(struct sock *sk);
void chim_host_put_conn(struct chim_conn *conn);
int chim_host_init(void);
void chim_host_exit(void);

/* host_sock.c APIs: */
int chim_sock_init(void);
void chim_sock_exit(void);

/* host_path.c APIs: */
struct chim_dev *chim_path_dev(struct sock *sk);
void chim_path_output(struct chim_conn *conn, struct sk_buff *skb,
		      bool confirm);
bool chim_path_diverts(const struct dst_entry *dst);
bool chim_path_fits(struct sock *sk, const struct chim_dev *cd);
u32 chim_path_mtu(struct chim_conn *conn);
bool chim_path_policy_ok(struct sk_buff *skb);

/* nic_conn.c APIs: */
bool chim_nic_rx(struct chim_dev *cd, struct sk_buff *skb);
int chim_nic_init(void);
void chim_nic_exit(void);

/* nic_fault.c APIs: */
#ifdef CONFIG_DEBUG_FS
void chim_fault_add(struct chim_dev *cd);
void chim_fault_del(struct chim_dev *cd);
bool chim_fault_hit(struct chim_dev *cd, enum chim_fault fault);
void chim_fault_init(void);
void chim_fault_exit(void);
#else
static inline void chim_fault_add(struct chim_dev *cd) { }
static inline void chim_fault_del(struct chim_dev *cd) { }

static inline bool chim_fault_hit(struct chim_dev *cd, enum chim_fault fault)
{
	return false;
}

static inline void chim_fault_init(void) { }
static inline void chim_fault_exit(void) { }
#endif

#endif /* _CHIM_CHIMNEY_H */
