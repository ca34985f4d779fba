/*
 * nodetype.h - the tag every structure of the redirector starts with.
 *
 * A node is a two-byte type code, then a two-byte size, then (in all but the FCB, which starts with the NT
 * file header) the reference count.
 */
#ifndef RX_NODETYPE_H
#define RX_NODETYPE_H

#include "ntifs.h"

typedef CSHORT NODE_TYPE_CODE, *PNODE_TYPE_CODE;
typedef CSHORT NODE_BYTE_SIZE, *PNODE_BYTE_SIZE;

typedef struct _NODE_TYPE_CODE_AND_SIZE {
	NODE_TYPE_CODE NodeTypeCode;
	NODE_BYTE_SIZE NodeByteSize;
	ULONG NodeReferenceCount;
} NODE_TYPE_CODE_AND_SIZE, *PNODE_TYPE_CODE_AND_SIZE;

#define NTC_UNDEFINED ((NODE_TYPE_CODE)0x0000)
#define RDBSS_NTC_FOBX ((NODE_TYPE_CODE)0xeb07)
#define RDBSS_NTC_RX_CONTEXT ((NODE_TYPE_CODE)0xeb08)
#define RDBSS_NTC_FCB_TABLE ((NODE_TYPE_CODE)0xeb09)
#define RDBSS_NTC_FCB_TABLE_ENTRY ((NODE_TYPE_CODE)0xeb0a)
#define RDBSS_NTC_VCB ((NODE_TYPE_CODE)0xeb0b) /* of no node here: a redirector has no volume */
#define RDBSS_NTC_PREFIX_TABLE ((NODE_TYPE_CODE)0xeb0d)
#define RDBSS_NTC_PREFIX_ENTRY ((NODE_TYPE_CODE)0xeb0e)
#define RDBSS_NTC_SRVCALL ((NODE_TYPE_CODE)0xeb10)
#define RDBSS_NTC_NETROOT ((NODE_TYPE_CODE)0xeb11)
#define RDBSS_NTC_V_NETROOT ((NODE_TYPE_CODE)0xeb12)
#define RDBSS_NTC_SRVOPEN ((NODE_TYPE_CODE)0xeb1c)
#define RDBSS_NTC_INTERNAL_SRVOPEN ((NODE_TYPE_CODE)0xeb1d)
#define RDBSS_NTC_DEVICE_FCB ((NODE_TYPE_CODE)0xeb9a)
#define RDBSS_NTC_NONPAGED_FCB ((NODE_TYPE_CODE)0xebfd)
#define RDBSS_NTC_MINIRDR_DISPATCH ((NODE_TYPE_CODE)0xebff)
#define RDBSS_NTC_STORAGE_TYPE_UNKNOWN ((NODE_TYPE_CODE)0xec00)
#define RDBSS_NTC_STORAGE_TYPE_DIRECTORY ((NODE_TYPE_CODE)0xec02)
#define RDBSS_NTC_STORAGE_TYPE_FILE ((NODE_TYPE_CODE)0xec03)
#define RDBSS_NTC_SPOOLFILE ((NODE_TYPE_CODE)0xecfc)
#define RDBSS_NTC_MAILSLOT ((NODE_TYPE_CODE)0xecfd)
#define RDBSS_NTC_IPC_SHARE ((NODE_TYPE_CODE)0xecfe)
#define RDBSS_NTC_OPENTARGETDIR_FCB ((NODE_TYPE_CODE)0xecff)

/* The FCB type of a storage type (RX_FILE_TYPE): code = 0xec00 + type. */
#define RDBSS_STORAGE_NTC(x) ((NODE_TYPE_CODE)(0xec00 + (x)))

#define NodeType(Ptr) (*((NODE_TYPE_CODE *)(Ptr)))

/* An FCB of any kind, device FCBs included. */
#define NodeTypeIsFcb(Ptr) \
	((NodeType(Ptr) & (NODE_TYPE_CODE)0xff00) == (NODE_TYPE_CODE)0xec00 || \
	 NodeType(Ptr) == RDBSS_NTC_DEVICE_FCB)

#define ZeroAndInitializeNodeType(Ptr, TypeCode, Size) \
	do { \
		RtlZeroMemory((Ptr), (Size)); \
		((PNODE_TYPE_CODE_AND_SIZE)(Ptr))->NodeTypeCode = (TypeCode); \
		((PNODE_TYPE_CODE_AND_SIZE)(Ptr))->NodeByteSize = (NODE_BYTE_SIZE)(Size); \
	} while (0)

#endif
