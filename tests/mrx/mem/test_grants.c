/*
 * test_grants.c - leases of a volume: who is granted what, what takes it back, and how long somebody waits for that.
 */
#include "mem_test.h"

#define READS FILE_READ_DATA
#define WRITES (FILE_READ_DATA | FILE_WRITE_DATA)
#define R MEM_LEASE_READ
#define H MEM_LEASE_HANDLE
#define W MEM_LEASE_WRITE

/* An opener, and what he has been told. */
struct client {
	ULONG told;  /* times */
	ULONG state; /* what shall be left */
	bool answer; /* somebody waits */
	KEVENT event;
};

/* Under the volume's mutex, which a test that looks at the fields without it has synchronised with by a call. */
static void told(void *opener, void *key, ULONG state, bool acknowledge)
{
	struct client *c = opener;

	assert_ptr_equal(key, opener);
	c->told++;
	c->state = state;
	c->answer = acknowledge;
	KeSetEvent(&c->event, IO_NO_INCREMENT, FALSE);
}

static void client_init(struct client *c)
{
	RtlZeroMemory(c, sizeof(*c));
	KeInitializeEvent(&c->event, SynchronizationEvent, FALSE);
}

struct fixture {
	struct mem_volume *volume;
	struct client a, b;
};

static void setup(struct fixture *f, ULONG break_limit)
{
	f->volume = new_volume(1 << 20);
	f->volume->told = told;
	f->volume->break_limit = break_limit;
	client_init(&f->a);
	client_init(&f->b);
}

static NTSTATUS open_for(struct fixture *f, struct client *client, ACCESS_MASK access, ULONG share,
			 ULONG disposition, ULONG wanted, struct mem_handle **out)
{
	UNICODE_STRING name = NT_STR(u"f");
	struct mem_wakeups wake;
	ULONG created;
	struct mem_open how = {
		.path = &name,
		.access = access,
		.share_access = share,
		.disposition = disposition,
		.opener = client,
		.lease_key = client,
		.lease_wanted = wanted,
	};

	mem_wakeups_init(&wake);
	return mem_fs_open(f->volume, &how, out, &created, &wake);
}

static struct mem_handle *opened(struct fixture *f, struct client *client, ACCESS_MASK access, ULONG wanted)
{
	struct mem_handle *handle;

	assert_int_equal(open_for(f, client, access, ALL_SHARE, FILE_OPEN_IF, wanted, &handle),
			 STATUS_SUCCESS);
	return handle;
}

static void write_byte(struct mem_handle *handle)
{
	struct mem_wakeups wake;
	ULONG done;

	mem_wakeups_init(&wake);
	assert_int_equal(mem_fs_write(handle, 0, "x", 1, 0, &done, &wake), STATUS_SUCCESS);
}

/* The only one gets what he asks for; a second gets no write caching, and costs the first his. */
static void test_the_first_gets_all_and_the_second_no_writing(void **state)
{
	struct mem_handle *a, *a2, *b;
	struct fixture f;

	(void)state;
	setup(&f, 1); /* the break is not answered: it ends by itself */
	a = opened(&f, &f.a, WRITES, R | H | W);
	assert_int_equal(mem_fs_lease_state(a), R | H | W);
	a2 = opened(&f, &f.a, WRITES, R | H);
	assert_int_equal(mem_fs_lease_state(a2), R | H | W); /* one lease for one key */
	assert_int_equal(f.a.told, 0);

	b = opened(&f, &f.b, WRITES, R | H | W);
	assert_int_equal(f.a.told, 1);
	assert_int_equal(f.a.state, R | H);
	assert_true(f.a.answer);
	assert_int_equal(mem_fs_lease_state(a), R | H);
	assert_int_equal(mem_fs_lease_state(b), R | H);
	must_close(b);
	must_close(a2);
	must_close(a);
	/* with the last handle the lease has ended */
	a = opened(&f, &f.a, READS, 0);
	assert_int_equal(mem_fs_lease_state(a), 0);
	must_close(a);
	mem_volume_dereference(f.volume);
}

/* A handle that neither reads nor writes is in nobody's way. */
static void test_a_look_at_attributes_breaks_nothing(void **state)
{
	struct mem_handle *a, *b;
	struct fixture f;

	(void)state;
	setup(&f, 1);
	a = opened(&f, &f.a, WRITES, R | H | W);
	b = opened(&f, &f.b, FILE_READ_ATTRIBUTES | DELETE, 0);
	assert_int_equal(f.a.told, 0);
	assert_int_equal(mem_fs_lease_state(a), R | H | W);
	must_close(b);
	must_close(a);
	mem_volume_dereference(f.volume);
}

/* Writes, sizes and locks of others end read caching at once: told, not waited for. One's own do not. */
static void test_changes_of_data_take_reading(void **state)
{
	struct mem_range range = {0, 1, 0, true};
	struct mem_handle *a, *b;
	struct mem_wakeups wake;
	struct fixture f;

	(void)state;
	setup(&f, 3600 * 1000); /* a wait would be noticed */
	mem_wakeups_init(&wake);
	a = opened(&f, &f.a, READS, R | H);
	b = opened(&f, &f.b, WRITES, R | H);
	write_byte(b);
	assert_int_equal(f.a.told, 1);
	assert_int_equal(f.a.state, 0);
	assert_false(f.a.answer);
	assert_int_equal(mem_fs_lease_state(a), 0);
	assert_int_equal(f.b.told, 0);
	assert_int_equal(mem_fs_lease_state(b), R | H);
	must_close(a);

	a = opened(&f, &f.a, READS, R | H);
	assert_int_equal(mem_fs_set_size(b, 0, &wake), STATUS_SUCCESS);
	assert_int_equal(f.a.told, 2);
	must_close(a);

	a = opened(&f, &f.a, READS, R | H);
	assert_int_equal(mem_fs_lock(b, &range, false, NULL), STATUS_SUCCESS);
	assert_int_equal(f.a.told, 3);
	must_close(a);
	/* bytes that another has locked are not to be had from a cache */
	a = opened(&f, &f.a, READS, R | H);
	assert_int_equal(mem_fs_lease_state(a), 0);
	must_close(a);
	must_close(b);
	mem_volume_dereference(f.volume);
}

struct opening {
	struct fixture *f;
	ACCESS_MASK access;
	ULONG share;
	struct mem_handle *handle;
	NTSTATUS status;
};

static void open_as_b(void *context)
{
	struct opening *o = context;

	o->status = open_for(o->f, &o->f->b, o->access, o->share, FILE_OPEN, 0, &o->handle);
}

static void wait_until_told(struct client *c)
{
	LARGE_INTEGER limit = {.QuadPart = -30ll * 10000000};

	assert_int_equal(KeWaitForSingleObject(&c->event, Executive, KernelMode, FALSE, &limit),
			 STATUS_SUCCESS);
}

/* An open waits for data that is written back: until the answer, and no longer. */
static void test_an_open_waits_for_the_answer(void **state)
{
	struct opening o;
	struct nt_thread *thread;
	struct mem_handle *a;
	struct fixture f;

	(void)state;
	setup(&f, 3600 * 1000);
	o = (struct opening){.f = &f, .access = READS, .share = ALL_SHARE, .status = STATUS_PENDING};
	a = opened(&f, &f.a, WRITES, R | H | W);
	assert_int_equal(nt_thread_create("opener", open_as_b, &o, &thread), STATUS_SUCCESS);
	wait_until_told(&f.a);
	assert_int_equal(f.a.state, R | H);
	write_byte(a); /* what he had to write is written through the wait, and breaks nothing */
	assert_int_equal(mem_fs_lease_state(a), R | H | W);
	mem_fs_lease_acknowledge(a, R | H);
	nt_thread_join(thread);
	assert_int_equal(o.status, STATUS_SUCCESS);
	assert_int_equal(f.a.told, 1);
	assert_int_equal(mem_fs_lease_state(a), R | H);
	must_close(o.handle);
	must_close(a);
	mem_volume_dereference(f.volume);
}

/* A handle that sleeps is in the way of an open by its share mode: it is asked for, and closing it is an answer. */
static void test_an_open_waits_for_a_sleeping_handle(void **state)
{
	struct opening o;
	struct nt_thread *thread;
	struct client c;
	struct mem_handle *a, *late;
	struct fixture f;

	(void)state;
	client_init(&c);
	setup(&f, 3600 * 1000);
	o = (struct opening){.f = &f, .access = READS, .share = 0, .status = STATUS_PENDING};
	a = opened(&f, &f.a, READS, R | H);
	assert_int_equal(nt_thread_create("opener", open_as_b, &o, &thread), STATUS_SUCCESS);
	wait_until_told(&f.a);
	assert_int_equal(f.a.state, R);
	/* who comes meanwhile is granted nothing that would have to be waited for next */
	late = opened(&f, &c, READS, R | H);
	assert_int_equal(mem_fs_lease_state(late), R);
	must_close(late);
	must_close(a);
	nt_thread_join(thread);
	assert_int_equal(o.status, STATUS_SUCCESS);
	must_close(o.handle);

	/* who has no handle caching to give up is simply in the way */
	a = opened(&f, &f.a, READS, 0);
	open_as_b(&o);
	assert_int_equal(o.status, STATUS_SHARING_VIOLATION);
	must_close(a);
	mem_volume_dereference(f.volume);
}

/* Who does not answer in time has lost it; who waits at the same file himself is not waited for at all. */
static void test_nobody_waits_for_ever(void **state)
{
	struct mem_handle *a, *b;
	struct mem_wakeups wake;
	struct nt_thread *thread;
	struct opening o;
	struct fixture f;

	(void)state;
	setup(&f, 1);
	mem_wakeups_init(&wake);
	a = opened(&f, &f.a, READS, R | H);
	b = opened(&f, &f.b, WRITES | DELETE, R | H);
	assert_int_equal(mem_fs_set_disposition(b, FILE_DISPOSITION_DELETE, &wake), STATUS_SUCCESS);
	assert_int_equal(f.a.told, 1);
	assert_int_equal(f.a.state, R);
	assert_int_equal(mem_fs_lease_state(a), R);
	assert_int_equal(mem_fs_set_disposition(b, 0, &wake), STATUS_SUCCESS);
	must_close(a);

	f.volume->break_limit = 3600 * 1000;
	KeClearEvent(&f.a.event);
	a = opened(&f, &f.a, READS | DELETE, R | H);
	o = (struct opening){.f = &f, .access = READS, .share = 0, .status = STATUS_PENDING};
	assert_int_equal(nt_thread_create("opener", open_as_b, &o, &thread), STATUS_SUCCESS);
	wait_until_told(&f.a); /* b waits for a now */
	assert_int_equal(mem_fs_set_disposition(a, FILE_DISPOSITION_DELETE, &wake), STATUS_SUCCESS);
	assert_int_equal(mem_fs_set_disposition(a, 0, &wake), STATUS_SUCCESS);
	mem_fs_lease_acknowledge(a, R);
	nt_thread_join(thread);
	assert_int_equal(o.status, STATUS_SHARING_VIOLATION); /* it was not only asleep */
	must_close(a);
	must_close(b);
	mem_volume_dereference(f.volume);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_gets_all_and_the_second_no_writing),
		cmocka_unit_test(test_a_look_at_attributes_breaks_nothing),
		cmocka_unit_test(test_changes_of_data_take_reading),
		cmocka_unit_test(test_an_open_waits_for_the_answer),
		cmocka_unit_test(test_an_open_waits_for_a_sleeping_handle),
		cmocka_unit_test(test_nobody_waits_for_ever),
	};

	return cmocka_run_group_tests(tests, start_runtime, stop_runtime);
}
