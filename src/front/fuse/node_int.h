/*
 * node_int.h - what nodes and their names share.
 *
 * Locks: nodes.mutex is held, but for front_link_create().
 */
#ifndef RDBSS_FRONT_NODE_INT_H
#define RDBSS_FRONT_NODE_INT_H

#include "front/fuse/fuse_int.h"

/* node.c */
void front_node_hash_locked(struct front_nodes *nodes, struct front_node *node);
void front_node_unhash_locked(struct front_node *node);
/* Frees @node when nothing holds it, then its parents likewise. */
void front_node_settle_locked(struct front_nodes *nodes, struct front_node *node);

/* node_names.c */
struct front_link *front_link_find_locked(struct front_nodes *nodes, struct front_node *parent,
					  const UNICODE_STRING *name);
/* Not inserted yet, freed with FUSE_TAG_LINK; NULL: no memory. */
struct front_link *front_link_create(const UNICODE_STRING *name);
void front_link_insert_locked(struct front_nodes *nodes, struct front_link *link, struct front_node *parent,
			      struct front_node *node);
/* Frees it, and its parent when that was all that held it. */
void front_link_remove_locked(struct front_nodes *nodes, struct front_link *link);

#endif
