// SPDX-License-Identifier: GPL-2.0
/*
 * TCP chimney offload: ethtool operations of a chimney device.
 * Owns the names of the driver's counters; called by the ethtool core.
 * Every operation runs under rtnl_mutex.
 */
#include <linux/ethtool.h>

#include "chimney.h"

static const char chim_counter_names[CHIM_CNT_MAX][ETH_GSTRING_LEN] = {
	[CHIM_CNT_OFFLOADS]		= "offloads",
	[CHIM_CNT_UPLOADS]		= "uploads",
	[CHIM_CNT_REFUSED]		= "refused",
	[CHIM_CNT_RX_SEGS]		= "rx_segs",
	[CHIM_CNT_TX_SEGS]		= "tx_segs",
	[CHIM_CNT_RTX_SEGS]		= "rtx_segs",
	[CHIM_CNT_RTO]			= "rto",
	[CHIM_CNT_KEEPALIVE_PROBES]	= "keepalive_probes",
	[CHIM_CNT_WINDOW_PROBES]	= "window_probes",
	[CHIM_CNT_CHALLENGE_ACKS]	= "challenge_acks",
	[CHIM_CNT_PAWS_DROPS]		= "paws_drops",
	[CHIM_CNT_CSUM_ERRORS]		= "csum_errors",
	[CHIM_CNT_OOO_SEGS]		= "ooo_segs",
	[CHIM_CNT_RX_NO_ROOM]		= "rx_no_room",
	[CHIM_CNT_HOST_SWALLOWED]	= "host_swallowed",
	[CHIM_CNT_FORWARDED]		= "forwarded",
	[CHIM_CNT_ALLOC_FAILED]		= "alloc_failed",
};

static void chim_get_drvinfo(struct net_device *dev,
			     struct ethtool_drvinfo *info)
{
	const struct chim_dev *cd = netdev_priv(dev);

	strscpy(info->driver, "chimney", sizeof(info->driver));
	strscpy(info->version, CHIM_VERSION, sizeof(info->version));
	/* Our bus is the device below. */
	strscpy(info->bus_info, cd->lower->name, sizeof(info->bus_info));
}

static int chim_get_link_ksettings(struct net_device *dev,
				   struct ethtool_link_ksettings *cmd)
{
	const struct chim_dev *cd = netdev_priv(dev);

	return __ethtool_get_link_ksettings(cd->lower, cmd);
}

static int chim_get_sset_count(struct net_device *dev, int sset)
{
	return sset == ETH_SS_STATS ? CHIM_CNT_MAX : -EOPNOTSUPP;
}

static void chim_get_strings(struct net_device *dev, u32 sset, u8 *data)
{
	if (sset == ETH_SS_STATS)
		memcpy(data, chim_counter_names, sizeof(chim_counter_names));
}

static void chim_get_ethtool_stats(struct net_device *dev,
				   struct ethtool_stats *stats, u64 *data)
{
	chim_dev_counters(netdev_priv(dev), data);
}

const struct ethtool_ops chim_ethtool_ops = {
	.get_drvinfo		= chim_get_drvinfo,
	.get_link		= ethtool_op_get_link,
	.get_link_ksettings	= chim_get_link_ksettings,
	.get_sset_count		= chim_get_sset_count,
	.get_strings		= chim_get_strings,
	.get_ethtool_stats	= chim_get_ethtool_stats,
};
