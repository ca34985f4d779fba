/*
 * fake_files.h - a file behind the scripted server, and the grants, breaks and lies that a test wants to see.
 *
 * One file, whatever it is called, and folders whose names begin with 'd'.  The server's thread answers; a test changes
 * what it answers, and sends breaks, from its own thread: both hold `lock`.
 */
#ifndef SMB_FAKE_FILES_H
#define SMB_FAKE_FILES_H

#include "fake_server.h"

enum {
	FAKE_FILE_SIZE = 256 * 1024, /* bytes of the file at most */
	FAKE_LOG_SIZE = 4096,        /* requests that are remembered */
};

/* What came, in order. */
struct fake_event {
	uint16_t command;
	uint64_t file_id;              /* of CLOSE, READ, WRITE, and what CREATE gave */
	struct smb2_break ack;         /* of OPLOCK_BREAK */
	uint16_t locks;                /* of LOCK: its ranges... */
	struct smb2_lock_element lock; /* ...and the last of them */
};

struct fake_files {
	struct fake_server server;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* something came, or a connection began or ended */

	/* What it does; set before start() or under lock. */
	uint16_t dialect;
	uint32_t capabilities;
	bool has_grant; /* leases get `grant` of what they ask for, whatever that is */
	uint32_t grant; /* SMB2_LEASE_... */
	uint16_t epoch; /* of the next answer, version 2 */
	bool other_key; /* grants under a key that nobody asked for */
	uint8_t oplock_level; /* SMB2_OPLOCK_LEVEL_LEASE: leases; else that, where an oplock or a lease is asked for */
	uint32_t write_status;  /* of every WRITE */
	uint32_t ack_status;    /* of every acknowledgement */
	uint64_t refused_lock;  /* no lock is granted that begins there; UINT64_MAX: all are */
	bool mute_acks;         /* acknowledgements are not answered */
	bool drop_after_create; /* the connection ends behind the answers to a CREATE */
	uint64_t
		breaks_on_create; /* the next CREATE waits for the answer to a break of that handle's oplock; 0: none */
	bool new_id_each_time; /* the file's id changes with each CREATE */
	struct smb2_break
		*before_create; /* is sent ahead of the next CREATE's answer; its key is filled in */

	/* The file. */
	uint8_t data[FAKE_FILE_SIZE];
	uint64_t size;
	uint64_t reported_size; /* in answers to CREATE, when it is not UINT64_MAX */
	uint64_t id;
	uint64_t time; /* of the last write, in answers */

	/* What it saw; under lock. */
	struct fake_conn *conn; /* NULL: nobody is connected */
	unsigned int connections;
	unsigned int opens;      /* handles given out; the number of a handle is its id */
	struct smb2_lease asked; /* by the last CREATE that asked */
	uint8_t asked_level;     /* of the last CREATE */
	struct fake_event log[FAKE_LOG_SIZE];
	unsigned int log_count;
};

/* Fills in the defaults: 3.0, leases are granted as asked for. */
void fake_files_init(struct fake_files *f);
bool fake_files_start(struct fake_files *f);
void fake_files_stop(struct fake_files *f);

void fake_files_lock(struct fake_files *f);
void fake_files_unlock(struct fake_files *f);
/* How many requests of that command came since the start. Locks: none. */
unsigned int fake_files_count(struct fake_files *f, uint16_t command);
/* Until that many have come; false after 10 s. Locks: none. */
bool fake_files_wait(struct fake_files *f, uint16_t command, unsigned int count);
/* The last acknowledgement. */
struct smb2_break fake_files_last_ack(struct fake_files *f);

/* Sends a break; false: nobody is connected. */
bool fake_files_break(struct fake_files *f, const struct smb2_break *brk);
/* A break of the lease that was asked for last. */
struct smb2_break fake_lease_break(struct fake_files *f, uint32_t from, uint32_t to, uint16_t epoch);
/* Ends the connection. */
void fake_files_drop(struct fake_files *f);

#endif
