// SPDX-License-Identifier: GPL-2.0
/*
 * Faults of the NIC, on demand: a folder of debugfs for each device, where a
 * test says what is to go wrong. Called by the device's notifier under
 * rtnl_mutex and asked by the other nic_*.c files, in any context. No lock:
 * each knob is an atomic.
 */
#include <linux/debugfs.h>
#include <linux/proc_ns.h>
#include <net/net_namespace.h>

#include "nic.h"

static const char * const nic_fault_names[CHIM_FAULT_MAX] = {
	[CHIM_FAULT_REFUSE]	= "refuse",
	[CHIM_FAULT_RUN_OUT]	= "run_out",
	[CHIM_FAULT_LOSE]	= "lose",
	[CHIM_FAULT_STALL]	= "stall",
	[CHIM_FAULT_DIE]	= "die",
};

static struct dentry *nic_fault_root;

/**
 * chim_fault_add - show the knobs of a device
 * @cd: device, just registered, moved or renamed
 *
 * They are in chimney/NAME@INODE, INODE being that of its network namespace.
 *
 * Context: process, rtnl_mutex held.
 */
void chim_fault_add(struct chim_dev *cd)
{
	char name[IFNAMSIZ + 12];
	int i;

	snprintf(name, sizeof(name), "%s@%u", cd->dev->name,
		 dev_net(cd->dev)->ns.inum);
	cd->fault_dir = debugfs_create_dir(name, nic_fault_root);
	for (i = 0; i < CHIM_FAULT_MAX; i++)
		debugfs_create_atomic_t(nic_fault_names[i], 0600,
					cd->fault_dir, &cd->faults[i]);
}

/**
 * chim_fault_del - take the knobs of a device away
 * @cd: device, to be unregistered, moved or renamed
 *
 * Context: process, rtnl_mutex held.
 */
void chim_fault_del(struct chim_dev *cd)
{
	debugfs_remove(cd->fault_dir);
	cd->fault_dir = NULL;
}

/**
 * chim_fault_hit - is this to go wrong now?
 * @cd: device
 * @fault: what
 *
 * Context: any.
 * Return: true if so; one that happens a number of times is counted down.
 */
bool chim_fault_hit(struct chim_dev *cd, enum chim_fault fault)
{
	if (likely(atomic_read(&cd->faults[fault]) <= 0))
		return false;
	if (fault == CHIM_FAULT_STALL || fault == CHIM_FAULT_DIE)
		return true;
	return atomic_dec_if_positive(&cd->faults[fault]) >= 0;
}

/**
 * chim_fault_init - make the folder for all devices
 */
void chim_fault_init(void)
{
	nic_fault_root = debugfs_create_dir(KBUILD_MODNAME, NULL);
}

/**
 * chim_fault_exit - remove it
 */
void chim_fault_exit(void)
{
	debugfs_remove(nic_fault_root);
}
