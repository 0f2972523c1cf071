// SPDX-License-Identifier: GPL-2.0
/*
 * TCP chimney offload: the network device, stacked on an Ethernet device.
 * Owns struct chim_dev; called by rtnetlink, the stack and the lower device.
 * Control paths run under rtnl_mutex, transmit and receive under RCU.
 *
 * The device has its lower device for itself, as the upper half of one NIC
 * has the lower half: they share address, MTU and carrier.  What the NIC does
 * not take passes both ways untouched.
 */
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/rtnetlink.h>

#include "chimney.h"

/* Done in software where the lower device cannot; it is the lower device's
 * transmit path that segments, checksums and inserts tags.
 */
#define CHIM_OFFLOADS	(NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_FRAGLIST | \
			 NETIF_F_GSO_SOFTWARE | NETIF_F_GSO_ENCAP_ALL)

/* No VLAN is filtered here. */
#define CHIM_ALWAYS_ON	(NETIF_F_GSO_ROBUST | \
			 NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_STAG_TX | \
			 NETIF_F_HW_VLAN_CTAG_FILTER | \
			 NETIF_F_HW_VLAN_STAG_FILTER)

/* A device has them exactly when its lower device has them. */
#define CHIM_INHERITED	(NETIF_F_HIGHDMA | NETIF_F_RXCSUM)

static const struct net_device_ops chim_netdev_ops;

/**
 * chim_dev_from - the chimney device behind a network device
 * @dev: any network device
 *
 * Context: Any; the caller holds @dev.
 * Return: the chimney device, or NULL if @dev is none.
 */
struct chim_dev *chim_dev_from(struct net_device *dev)
{
	return dev->netdev_ops == &chim_netdev_ops ? netdev_priv(dev) : NULL;
}

/**
 * chim_dev_counters - sum up the counters of all CPUs
 * @cd: the device
 * @v: filled in; an array of %CHIM_CNT_MAX, indexed by &enum chim_counter
 *
 * Context: Any; the caller holds the device.
 */
void chim_dev_counters(struct chim_dev *cd, u64 *v)
{
	u64 snap[CHIM_CNT_MAX];
	int cpu, i;

	memset(v, 0, CHIM_CNT_MAX * sizeof(*v));
	for_each_possible_cpu(cpu) {
		const struct chim_counters *cnt;
		unsigned int start;

		cnt = per_cpu_ptr(cd->counters, cpu);
		do {
			start = u64_stats_fetch_begin(&cnt->syncp);
			for (i = 0; i < CHIM_CNT_MAX; i++)
				snap[i] = u64_stats_read(&cnt->v[i]);
		} while (u64_stats_fetch_retry(&cnt->syncp, start));

		for (i = 0; i < CHIM_CNT_MAX; i++)
			v[i] += snap[i];
	}
}

/* Only the address families the NIC speaks, only what was sent to us, and
 * only untagged: a tagged frame belongs to a device above this one.
 */
static bool chim_dev_for_nic(const struct chim_dev *cd,
			     const struct sk_buff *skb)
{
	return atomic_read(&cd->conns) && skb->pkt_type == PACKET_HOST &&
	       (skb->protocol == htons(ETH_P_IP) ||
		skb->protocol == htons(ETH_P_IPV6)) &&
	       !skb_vlan_tag_present(skb);
}

/**
 * chim_dev_rx_wait - wait for frames that are on their way up
 * @cd: the device
 *
 * On return every frame the NIC had left to the host before the call has
 * reached it: if it was for a socket whose lock the caller owns, it waits in
 * the backlog.  What the administrator has sent to another CPU (RPS) does not
 * count.
 *
 * Context: Process.
 */
void chim_dev_rx_wait(struct chim_dev *cd)
{
	int cpu;

	smp_mb(); /* pairs with chim_dev_deliver() */
	for_each_possible_cpu(cpu) {
		unsigned int *seq = &per_cpu_ptr(cd->counters, cpu)->rx_seq;
		unsigned int was = READ_ONCE(*seq);

		while (was & 1 && READ_ONCE(*seq) == was)
			usleep_range(10, 50);
	}
	smp_mb(); /* what they did is seen from here on */
}

/* To the NIC, and what it does not take to the stack, in one go. */
static void chim_dev_deliver(struct chim_dev *cd, struct sk_buff *skb)
{
	unsigned int *seq = &this_cpu_ptr(cd->counters)->rx_seq;

	WRITE_ONCE(*seq, *seq + 1);
	smp_mb(); /* odd before the NIC looks for the connection */
	if (!chim_dev_for_nic(cd, skb) || !chim_nic_rx(cd, skb))
		netif_receive_skb(skb);
	/* Pairs with chim_dev_rx_wait(). */
	smp_store_release(seq, *seq + 1);
}

static rx_handler_result_t chim_dev_rx(struct sk_buff **pskb)
{
	struct sk_buff *skb = *pskb;
	struct net_device *dev;
	struct chim_dev *cd;

	/* From dev_loopback_xmit(): was never on the wire. */
	if (unlikely(skb->pkt_type == PACKET_LOOPBACK))
		return RX_HANDLER_PASS;

	cd = rcu_dereference(skb->dev->rx_handler_data);
	dev = cd->dev;

	/* While we are down the lower device works as if we were not there:
	 * creating a chimney on the link one is logged in by is harmless.
	 */
	if (unlikely(!(dev->flags & IFF_UP)))
		return RX_HANDLER_PASS;

	skb = skb_share_check(skb, GFP_ATOMIC);
	if (unlikely(!skb)) {
		dev_core_stats_rx_dropped_inc(dev);
		return RX_HANDLER_CONSUMED;
	}

	skb->dev = dev;
	dev_sw_netstats_rx_add(dev, skb->len + ETH_HLEN);
	if (skb->pkt_type == PACKET_MULTICAST)
		DEV_STATS_INC(dev, multicast);

	chim_dev_deliver(cd, skb);
	return RX_HANDLER_CONSUMED;
}

static netdev_tx_t chim_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct chim_dev *cd = netdev_priv(dev);
	unsigned int len = skb->len;
	int ret;

	skb->dev = cd->lower;
	ret = dev_queue_xmit(skb);

	if (likely(ret == NET_XMIT_SUCCESS || ret == NET_XMIT_CN))
		dev_sw_netstats_tx_add(dev, 1, len);
	else
		dev_core_stats_tx_dropped_inc(dev);

	/* The frame is gone in any case; how it went is of use to TCP. */
	return ret;
}

/* Give every connection back to the host while the device can still send. */
static void chim_dev_close_conns(struct chim_dev *cd)
{
	/* An offload makes itself known before it looks at @closing, so that
	 * either it sees the flag, or the upload sees it.
	 */
	WRITE_ONCE(cd->closing, true);
	chim_host_upload_dev(cd, CHIMNEY_REASON_DEVICE);
}

static void chim_dev_reopen(struct chim_dev *cd)
{
	if (netif_running(cd->dev) && netif_running(cd->lower))
		WRITE_ONCE(cd->closing, false);
}

/* A lower device that is down may well say it has a carrier. */
static void chim_dev_sync_carrier(struct chim_dev *cd)
{
	if (cd->lower->flags & IFF_UP)
		netif_stacked_transfer_operstate(cd->lower, cd->dev);
	else
		netif_carrier_off(cd->dev);
}

static void chim_dev_inherit(struct chim_dev *cd)
{
	struct net_device *lower = cd->lower;
	struct net_device *dev = cd->dev;

	netif_inherit_tso_max(dev, lower);
	dev->needed_headroom = lower->needed_headroom +
			       lower->hard_header_len - ETH_HLEN;
	dev->needed_tailroom = lower->needed_tailroom;
}

static int chim_init(struct net_device *dev)
{
	struct chim_dev *cd = netdev_priv(dev);
	struct net_device *lower = cd->lower;
	int err, cpu;

	dev->tstats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	if (!dev->tstats)
		return -ENOMEM;

	cd->counters = alloc_percpu(struct chim_counters);
	if (!cd->counters) {
		err = -ENOMEM;
		goto err_tstats;
	}
	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(cd->counters, cpu)->syncp);

	err = netdev_rx_handler_register(lower, chim_dev_rx, cd);
	if (err)
		goto err_counters;

	dev->features = CHIM_OFFLOADS | CHIM_ALWAYS_ON |
			(lower->features & CHIM_INHERITED);
	chim_set_lltx(dev); /* passing a frame on takes no lock */
	dev->hw_features = CHIM_OFFLOADS;
	dev->vlan_features = CHIM_OFFLOADS |
			     (lower->vlan_features & CHIM_INHERITED);
	dev->hw_enc_features = CHIM_OFFLOADS;
	chim_dev_inherit(cd);
	WRITE_ONCE(dev->gso_max_size, lower->gso_max_size);
	WRITE_ONCE(dev->gso_max_segs, lower->gso_max_segs);
	netdev_lockdep_set_classes(dev);

	netdev_hold(lower, &cd->lower_tracker, GFP_KERNEL);
	return 0;

err_counters:
	free_percpu(cd->counters);
err_tstats:
	free_percpu(dev->tstats);
	return err;
}

static void chim_uninit(struct net_device *dev)
{
	struct chim_dev *cd = netdev_priv(dev);

	/* Waits until nobody is in chim_dev_rx(). */
	netdev_rx_handler_unregister(cd->lower);
}

/* Nobody holds the device any more: connections counted until now. */
static void chim_dev_free(struct net_device *dev)
{
	struct chim_dev *cd = netdev_priv(dev);

	WARN_ON_ONCE(atomic_read(&cd->conns));
	netdev_put(cd->lower, &cd->lower_tracker);
	free_percpu(cd->counters);
	free_percpu(dev->tstats);
}

static int chim_open(struct net_device *dev)
{
	struct chim_dev *cd = netdev_priv(dev);
	int err;

	if (dev->flags & IFF_ALLMULTI) {
		err = dev_set_allmulti(cd->lower, 1);
		if (err)
			return err;
	}
	if (dev->flags & IFF_PROMISC) {
		err = dev_set_promiscuity(cd->lower, 1);
		if (err)
			goto err_allmulti;
	}

	chim_dev_sync_carrier(cd);
	chim_dev_reopen(cd);
	return 0;

err_allmulti:
	if (dev->flags & IFF_ALLMULTI)
		dev_set_allmulti(cd->lower, -1);
	return err;
}

/* The connections have left at NETDEV_GOING_DOWN. */
static int chim_stop(struct net_device *dev)
{
	struct chim_dev *cd = netdev_priv(dev);

	dev_uc_unsync(cd->lower, dev);
	dev_mc_unsync(cd->lower, dev);
	if (dev->flags & IFF_ALLMULTI)
		dev_set_allmulti(cd->lower, -1);
	if (dev->flags & IFF_PROMISC)
		dev_set_promiscuity(cd->lower, -1);
	return 0;
}

static void chim_change_rx_flags(struct net_device *dev, int change)
{
	struct chim_dev *cd = netdev_priv(dev);

	if (!(dev->flags & IFF_UP))
		return;

	if (change & IFF_ALLMULTI)
		dev_set_allmulti(cd->lower, dev->flags & IFF_ALLMULTI ? 1 : -1);
	if (change & IFF_PROMISC)
		dev_set_promiscuity(cd->lower,
				    dev->flags & IFF_PROMISC ? 1 : -1);
}

static void chim_set_rx_mode(struct net_device *dev)
{
	struct chim_dev *cd = netdev_priv(dev);

	dev_uc_sync(cd->lower, dev);
	dev_mc_sync(cd->lower, dev);
}

static int chim_change_mtu(struct net_device *dev, int mtu)
{
	struct chim_dev *cd = netdev_priv(dev);

	if (mtu > cd->lower->mtu)
		return -EINVAL;

	WRITE_ONCE(dev->mtu, mtu);
	return 0;
}

static netdev_features_t chim_fix_features(struct net_device *dev,
					   netdev_features_t features)
{
	struct chim_dev *cd = netdev_priv(dev);

	features &= ~CHIM_INHERITED;
	return features | (cd->lower->features & CHIM_INHERITED);
}

/* A lower device that filters has to know the VLANs above us. */
static int chim_vlan_rx_add_vid(struct net_device *dev, __be16 proto, u16 vid)
{
	struct chim_dev *cd = netdev_priv(dev);

	return vlan_vid_add(cd->lower, proto, vid);
}

static int chim_vlan_rx_kill_vid(struct net_device *dev, __be16 proto, u16 vid)
{
	struct chim_dev *cd = netdev_priv(dev);

	vlan_vid_del(cd->lower, proto, vid);
	return 0;
}

static int chim_get_iflink(const struct net_device *dev)
{
	const struct chim_dev *cd = netdev_priv(dev);

	return cd->lower->ifindex;
}

/* No ndo_set_mac_address: the address is the lower device's. */
static const struct net_device_ops chim_netdev_ops = {
	.ndo_init		= chim_init,
	.ndo_uninit		= chim_uninit,
	.ndo_open		= chim_open,
	.ndo_stop		= chim_stop,
	.ndo_start_xmit		= chim_start_xmit,
	.ndo_features_check	= passthru_features_check,
	.ndo_change_rx_flags	= chim_change_rx_flags,
	.ndo_set_rx_mode	= chim_set_rx_mode,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_change_mtu		= chim_change_mtu,
	.ndo_get_stats64	= dev_get_tstats64,
	.ndo_vlan_rx_add_vid	= chim_vlan_rx_add_vid,
	.ndo_vlan_rx_kill_vid	= chim_vlan_rx_kill_vid,
	.ndo_fix_features	= chim_fix_features,
	.ndo_get_iflink		= chim_get_iflink,
};

static void chim_setup(struct net_device *dev)
{
	struct chim_dev *cd = netdev_priv(dev);

	ether_setup(dev);
	dev->netdev_ops = &chim_netdev_ops;
	dev->ethtool_ops = &chim_ethtool_ops;
	dev->priv_destructor = chim_dev_free;
	dev->needs_free_netdev = true;
	dev->max_mtu = ETH_MAX_MTU;

	/* A frame leaves with another skb->dev, so it must be ours alone; the
	 * lower device may want its route; there is no console on top of us.
	 */
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	netif_keep_dst(dev);
	dev->priv_flags |= IFF_NO_QUEUE | IFF_UNICAST_FLT |
			   IFF_DISABLE_NETPOLL;

	cd->dev = dev;
	cd->closing = true;
	cd->params.hz = CHIM_DEFAULT_HZ;
	cd->params.max_conns = CHIM_DEFAULT_MAX_CONNS;
	cd->params.ack_frequency = CHIM_DEFAULT_ACK_FREQUENCY;
	cd->params.delayed_ack = CHIM_DEFAULT_DELAYED_ACK;
	cd->params.max_rtx = CHIM_DEFAULT_MAX_RTX;
	cd->params.dupacks = CHIM_DEFAULT_DUPACKS;
	cd->params.fin_wait2 = CHIM_DEFAULT_FIN_WAIT2;
}

static int chim_validate(struct nlattr *tb[], struct nlattr *data[],
			 struct netlink_ext_ack *extack)
{
	if (!tb[IFLA_LINK]) {
		NL_SET_ERR_MSG_MOD(extack, "No lower device given");
		NL_SET_ERR_ATTR_MISS(extack, NULL, IFLA_LINK);
		return -EINVAL;
	}
	if (tb[IFLA_ADDRESS] && nla_len(tb[IFLA_ADDRESS]) != ETH_ALEN) {
		NL_SET_ERR_MSG_ATTR(extack, tb[IFLA_ADDRESS],
				    "chimney: Not an Ethernet address");
		return -EINVAL;
	}
	return 0;
}

static int chim_check_lower(struct net_device *lower, struct nlattr *attr,
			    struct netlink_ext_ack *extack)
{
	NL_SET_BAD_ATTR(extack, attr);
	if (lower->flags & IFF_LOOPBACK || lower->type != ARPHRD_ETHER) {
		NL_SET_ERR_MSG_MOD(extack, "Lower device is not Ethernet");
		return -EINVAL;
	}
	if (chim_dev_from(lower)) {
		NL_SET_ERR_MSG_MOD(extack,
				   "Lower device is a chimney device itself");
		return -EINVAL;
	}
	if (rtnl_dereference(lower->rx_handler) == chim_dev_rx) {
		NL_SET_ERR_MSG_MOD(extack,
				   "Lower device already has a chimney device");
		return -EBUSY;
	}
	if (netdev_is_rx_handler_busy(lower)) {
		NL_SET_ERR_MSG_MOD(extack,
				   "Lower device belongs to another device");
		return -EBUSY;
	}
	NL_SET_BAD_ATTR(extack, NULL);
	return 0;
}

/**
 * chim_dev_newlink - make a device of kind "chimney"
 * @dev: the device, set up
 * @params: what the request says
 * @extack: gets the reason of a refusal
 *
 * Context: Process, rtnl_mutex held.
 * Return: 0 or a negative error.
 */
int chim_dev_newlink(struct net_device *dev,
		     struct rtnl_newlink_params *params,
		     struct netlink_ext_ack *extack)
{
	struct net *link_net = rtnl_newlink_link_net(params);
	struct chim_dev *cd = netdev_priv(dev);
	struct nlattr **tb = params->tb;
	struct net_device *lower;
	int err;

	lower = __dev_get_by_index(link_net, nla_get_u32(tb[IFLA_LINK]));
	if (!lower) {
		NL_SET_ERR_MSG_ATTR(extack, tb[IFLA_LINK],
				    "chimney: Lower device does not exist");
		return -ENODEV;
	}
	err = chim_check_lower(lower, tb[IFLA_LINK], extack);
	if (err)
		return err;

	if (tb[IFLA_ADDRESS] &&
	    !ether_addr_equal(dev->dev_addr, lower->dev_addr)) {
		NL_SET_ERR_MSG_ATTR(extack, tb[IFLA_ADDRESS],
				    "chimney: Address is the lower device's");
		return -EINVAL;
	}
	if (tb[IFLA_MTU] && dev->mtu > lower->mtu) {
		NL_SET_ERR_MSG_ATTR(extack, tb[IFLA_MTU],
				    "chimney: MTU exceeds the lower device's");
		return -EINVAL;
	}

	cd->lower = lower;
	eth_hw_addr_set(dev, lower->dev_addr);
	dev->addr_assign_type = NET_ADDR_STOLEN;
	if (!tb[IFLA_MTU])
		dev->mtu = lower->mtu;
	dev->min_mtu = lower->min_mtu;
	dev->max_mtu = lower->max_mtu;

	err = register_netdevice(dev);
	if (err)
		return err;

	err = netdev_upper_dev_link(lower, dev, extack);
	if (err) {
		unregister_netdevice(dev);
		return err;
	}

	chim_dev_sync_carrier(cd);
	/* Makes the state known that was set while being registered. */
	linkwatch_fire_event(dev);
	return 0;
}

static void chim_dellink(struct net_device *dev, struct list_head *head)
{
	struct chim_dev *cd = netdev_priv(dev);

	unregister_netdevice_queue(dev, head);
	netdev_upper_dev_unlink(cd->lower, dev);
}

static struct net *chim_get_link_net(const struct net_device *dev)
{
	const struct chim_dev *cd = netdev_priv(dev);

	return dev_net(cd->lower);
}

struct rtnl_link_ops chim_link_ops = {
	.kind		= "chimney",
	.priv_size	= sizeof(struct chim_dev),
	.setup		= chim_setup,
	.validate	= chim_validate,
	.newlink	= chim_compat_newlink,
	.dellink	= chim_dellink,
	.get_link_net	= chim_get_link_net,
};

/* Follow an MTU unless the administrator set one of our own. */
static int chim_dev_follow_mtu(struct chim_dev *cd,
			       struct netdev_notifier_info_ext *info)
{
	struct net_device *dev = cd->dev;
	int mtu = cd->lower->mtu;

	if (dev->mtu != info->ext.mtu && dev->mtu <= mtu)
		return 0;

	return dev_set_mtu(dev, mtu);
}

static int chim_lower_event(struct chim_dev *cd, unsigned long event,
			    void *ptr)
{
	struct net_device *lower = cd->lower;
	struct net_device *dev = cd->dev;
	LIST_HEAD(kill);

	switch (event) {
	case NETDEV_GOING_DOWN:
		chim_dev_close_conns(cd);
		break;
	case NETDEV_UP:
		chim_dev_reopen(cd);
		fallthrough;
	case NETDEV_DOWN:
	case NETDEV_CHANGE:
		chim_dev_sync_carrier(cd);
		break;
	case NETDEV_CHANGEADDR:
		eth_hw_addr_set(dev, lower->dev_addr);
		/* Neighbours and the devices above want to know as well. */
		call_netdevice_notifiers(NETDEV_CHANGEADDR, dev);
		break;
	case NETDEV_CHANGEMTU:
		return notifier_from_errno(chim_dev_follow_mtu(cd, ptr));
	case NETDEV_FEAT_CHANGE:
		chim_dev_inherit(cd);
		netdev_update_features(dev);
		break;
	case NETDEV_PRE_TYPE_CHANGE:
		return NOTIFY_BAD;
	case NETDEV_NOTIFY_PEERS:
	case NETDEV_BONDING_FAILOVER:
	case NETDEV_RESEND_IGMP:
		call_netdevice_notifiers(event, dev);
		break;
	case NETDEV_UNREGISTER:
		/* Both stay, and stay linked, if one moves to another netns.
		 * We may be on the way out together.
		 */
		if (lower->reg_state != NETREG_UNREGISTERING ||
		    !netdev_has_upper_dev(lower, dev))
			break;
		chim_dellink(dev, &kill);
		unregister_netdevice_many(&kill);
		break;
	}
	return NOTIFY_DONE;
}

/* A device that moves to another namespace is unregistered there. */
static void chim_own_event(struct chim_dev *cd, unsigned long event)
{
	switch (event) {
	case NETDEV_GOING_DOWN:
		chim_dev_close_conns(cd);
		break;
	case NETDEV_REGISTER:
		chim_fault_add(cd);
		break;
	case NETDEV_CHANGENAME:
		chim_fault_del(cd);
		chim_fault_add(cd);
		break;
	case NETDEV_UNREGISTER:
		chim_fault_del(cd);
		break;
	}
}

static int chim_dev_event(struct notifier_block *nb, unsigned long event,
			  void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct chim_dev *cd = chim_dev_from(dev);

	if (cd)
		chim_own_event(cd, event);

	if (rtnl_dereference(dev->rx_handler) == chim_dev_rx)
		return chim_lower_event(rtnl_dereference(dev->rx_handler_data),
					event, ptr);

	return NOTIFY_DONE;
}

static struct notifier_block chim_dev_nb = {
	.notifier_call = chim_dev_event,
};

/**
 * chim_dev_init - make devices of kind "chimney" available
 *
 * Context: Process, module init.
 * Return: 0 or a negative error.
 */
int __init chim_dev_init(void)
{
	int err;

	err = register_netdevice_notifier(&chim_dev_nb);
	if (err)
		return err;

	err = rtnl_link_register(&chim_link_ops);
	if (err)
		unregister_netdevice_notifier(&chim_dev_nb);
	return err;
}

/**
 * chim_dev_exit - remove the kind and its devices, uploading connections
 *
 * Context: Process, module init or exit; takes rtnl_mutex.
 */
void chim_dev_exit(void)
{
	/* The notifier goes last: it is what uploads the connections. */
	rtnl_link_unregister(&chim_link_ops);
	unregister_netdevice_notifier(&chim_dev_nb);
}
