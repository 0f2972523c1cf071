// SPDX-License-Identifier: GPL-2.0
/*
 * TCP chimney offload: module entry and exit.
 * Owns the work queue that the other files share; called by the module loader.
 * No lock: nothing of ours runs before chim_init() or after chim_exit().
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/rcupdate.h>
#include <net/genetlink.h>
#include <net/rtnetlink.h>

#include "chimney.h"

/* Uploads run here: they take socket locks and may wait for them. */
struct workqueue_struct *chim_wq;

static int __init chim_init(void)
{
	int err;

	chim_wq = alloc_workqueue("chimney", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!chim_wq)
		return -ENOMEM;

	err = chim_sock_init();
	if (err)
		goto err_wq;

	err = chim_nic_init();
	if (err)
		goto err_sock;

	err = chim_host_init();
	if (err)
		goto err_nic;

	chim_fault_init();
	err = chim_dev_init();
	if (err)
		goto err_fault;

	err = chim_nl_init();
	if (err)
		goto err_dev;

	return 0;

err_dev:
	chim_dev_exit();
err_fault:
	chim_fault_exit();
	chim_host_exit();
err_nic:
	chim_nic_exit();
err_sock:
	chim_sock_exit();
err_wq:
	destroy_workqueue(chim_wq);
	rcu_barrier();
	return err;
}

static void __exit chim_exit(void)
{
	/* The way in is closed first, then the devices go, and with them
	 * every connection; what follows only frees empty tables.
	 */
	chim_nl_exit();
	chim_dev_exit();
	chim_fault_exit();
	chim_host_exit();
	chim_nic_exit();
	chim_sock_exit();
	destroy_workqueue(chim_wq);
	/* Callbacks still under way are in our text. */
	rcu_barrier();
}

module_init(chim_init);
module_exit(chim_exit);

MODULE_DESCRIPTION("Software TCP chimney offload device");
MODULE_LICENSE("GPL");
MODULE_VERSION(CHIM_VERSION);
MODULE_ALIAS_RTNL_LINK("chimney");
MODULE_ALIAS_GENL_FAMILY(CHIMNEY_FAMILY_NAME);
