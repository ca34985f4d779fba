/*
 * Creates beyond the plain open: cancelled ones, credentials, links, overwritten files, files that were replaced.
 */
#include "../support/rec.h"

#define OPEN(...) (&(struct open_params){.disposition = FILE_OPEN, __VA_ARGS__})

static NTSTATUS cancel_now(PRX_CONTEXT rxc)
{
	(void)IoCancelIrp(rxc->CurrentIrp);
	return STATUS_SUCCESS;
}

/* A create that the server carried out although it was cancelled is cleaned up and closed there. */
static void test_cancelled_but_applied_is_closed(void **state)
{
	PFILE_OBJECT file;

	(void)state;
	rec.create_hook = cancel_now;
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a"), &file, NULL), STATUS_CANCELLED);
	assert_int_equal(rec_seen(REC_CREATE), 1);
	assert_int_equal(rec_seen(REC_CLEANUP), 1);
	assert_int_equal(rec_seen(REC_CLOSE), 1);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
}

/* ---- credentials ---- */

struct ea_list {
	DECLSPEC_ALIGN(8) UCHAR bytes[512];
	ULONG length;
};

static UCHAR *ea_add(struct ea_list *list, const char *name, const WCHAR *value)
{
	FILE_FULL_EA_INFORMATION *ea;
	UNICODE_STRING s;
	UCHAR *at;

	RtlInitUnicodeString(&s, value);
	if (list->length > 0) { /* the last one so far points here */
		ULONG offset = 0;

		for (;;) {
			ea = (void *)(list->bytes + offset);
			if (ea->NextEntryOffset == 0)
				break;
			offset += ea->NextEntryOffset;
		}
		list->length = (list->length + 3) & ~3u;
		ea->NextEntryOffset = list->length - offset;
	}
	ea = (void *)(list->bytes + list->length);
	ea->NextEntryOffset = 0;
	ea->Flags = 0;
	ea->EaNameLength = (UCHAR)strlen(name);
	ea->EaValueLength = s.Length;
	memcpy(ea->EaName, name, strlen(name) + 1);
	at = (UCHAR *)ea->EaName + strlen(name) + 1;
	memcpy(at, s.Buffer, s.Length);
	list->length += (ULONG)(at + s.Length - (UCHAR *)ea);
	return at;
}

/* User, password and domain of a tree connection reach the view; the password does not stay in the buffer. */
static void test_credentials(void **state)
{
	static const UCHAR wiped[12];
	struct ea_list list = {.length = 0};
	PFILE_OBJECT tree;
	UCHAR *password;

	(void)state;
	(void)ea_add(&list, "Username", u"somebody");
	password = ea_add(&list, "PASSWORD", u"secret");
	(void)ea_add(&list, "rdr.Options", u"x");
	(void)ea_add(&list, "domain", u"WG");
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE, .options = FILE_CREATE_TREE_CONNECTION,
					     .ea = list.bytes, .ea_length = list.length),
					&tree, NULL),
			 STATUS_SUCCESS);
	assert_memory_equal(rec.user, u"somebody", 18);
	assert_memory_equal(rec.password, u"secret", 14);
	assert_memory_equal(rec.domain, u"WG", 6);
	assert_memory_equal(password, wiped, sizeof(wiped));
	assert_int_equal(rec_seen(REC_CREATE), 0);
	file_close(tree);
}

/* Lists whose lengths lie, values that are no UTF-16, the same name twice: refused, nobody is asked. */
static void test_hostile_ea_lists(void **state)
{
	struct ea_list list;
	PFILE_OBJECT tree;
	ULONG cut;

	(void)state;
	memset(&list, 0, sizeof(list));
	(void)ea_add(&list, "Username", u"somebody");
	(void)ea_add(&list, "Password", u"secret");
	for (cut = 1; cut < list.length; cut++) {
		UCHAR copy[512];

		memcpy(copy, list.bytes, sizeof(copy));
		assert_int_equal(
			file_open_with(OPEN(.name = REC_SHARE, .options = FILE_CREATE_TREE_CONNECTION,
					    .ea = copy, .ea_length = cut),
				       &tree, NULL),
			STATUS_EA_LIST_INCONSISTENT);
	}
	((FILE_FULL_EA_INFORMATION *)list.bytes)->NextEntryOffset = 0x7fffffff;
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE, .options = FILE_CREATE_TREE_CONNECTION,
					     .ea = list.bytes, .ea_length = list.length),
					&tree, NULL),
			 STATUS_EA_LIST_INCONSISTENT);
	memset(&list, 0, sizeof(list));
	(void)ea_add(&list, "Username", u"a");
	(void)ea_add(&list, "Username", u"b");
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE, .options = FILE_CREATE_TREE_CONNECTION,
					     .ea = list.bytes, .ea_length = list.length),
					&tree, NULL),
			 STATUS_INVALID_PARAMETER);
	memset(&list, 0, sizeof(list));
	(void)ea_add(&list, "Username", u"ab");
	((FILE_FULL_EA_INFORMATION *)list.bytes)->EaValueLength = 3;
	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE, .options = FILE_CREATE_TREE_CONNECTION,
					     .ea = list.bytes, .ea_length = list.length),
					&tree, NULL),
			 STATUS_INVALID_PARAMETER);
	assert_int_equal(rec_seen(REC_CREATE_SRV_CALL), 0);
}

/* ---- links ---- */

static BOOLEAN reparse_required;
static BOOLEAN link_embedded;

static NTSTATUS follow_link(PRX_CONTEXT rxc)
{
	UNICODE_STRING path;
	NTSTATUS status;

	RtlInitUnicodeString(&path, u"\\server\\share\\target");
	status = RxPrepareToReparseSymbolicLink(rxc, link_embedded, &path, FALSE, &reparse_required);
	if (!NT_SUCCESS(status))
		return status;
	return reparse_required ? STATUS_REPARSE : STATUS_SUCCESS;
}

static NTSTATUS create_with(PFILE_OBJECT file, ACCESS_MASK access)
{
	struct req *r = req_make(file, IRP_MJ_CREATE, 0);

	r->security.DesiredAccess = access;
	req_sp(r)->Parameters.Create.SecurityContext = &r->security;
	req_sp(r)->Parameters.Create.Options = FILE_OPEN << 24;
	req_sp(r)->Parameters.Create.ShareAccess = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
	return req_run(r, NULL);
}

/* B-RxPrepareToReparseSymbolicLink-01 to -06. A driver that reparses has no open to close yet. */
static void test_symbolic_links(void **state)
{
	PFILE_OBJECT file = file_make(REC_SHARE u"\\link", NULL);
	static const WCHAR target[] = u"\\Device\\Mup\\server\\share\\target";
	RX_CONTEXT rxc;
	UNICODE_STRING path;
	BOOLEAN required = TRUE;

	(void)state;
	RxInitializeContext(NULL, rec.device, 0, &rxc);
	RtlInitUnicodeString(&path, u"\\x");
	rxc.MajorFunction = IRP_MJ_READ;
	assert_int_equal(RxPrepareToReparseSymbolicLink(&rxc, FALSE, &path, TRUE, &required),
			 STATUS_INVALID_PARAMETER);
	rxc.MajorFunction = IRP_MJ_CREATE;
	rxc.Create.NtCreateParameters.DesiredAccess = DELETE | FILE_READ_DATA;
	assert_int_equal(RxPrepareToReparseSymbolicLink(&rxc, FALSE, &path, TRUE, &required),
			 STATUS_ACCESS_DENIED);
	rxc.Create.NtCreateParameters.DesiredAccess = DELETE;
	assert_int_equal(RxPrepareToReparseSymbolicLink(&rxc, FALSE, &path, TRUE, &required), STATUS_SUCCESS);
	assert_false(required);
	rxc.Create.CanonicalNameBuffer = NULL;
	RxDereferenceAndDeleteRxContext(&rxc);

	rec.create_hook = NULL;
	link_embedded = FALSE;
	rec.reparse_hook = follow_link;
	assert_int_equal(create_with(file, FILE_READ_DATA), STATUS_REPARSE);
	assert_true(reparse_required);
	assert_int_equal(file->FileName.Length, sizeof(target) - sizeof(WCHAR));
	assert_memory_equal(file->FileName.Buffer, target, file->FileName.Length);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
	ObDereferenceObject(file);
}

/* ---- what an open means for those that are there ---- */

static NTSTATUS overwritten(PRX_CONTEXT rxc)
{
	rxc->Create.ReturnedCreateInformation = FILE_OVERWRITTEN;
	return STATUS_SUCCESS;
}

/* B-MRxCreate-03: an overwrite cuts the size that other opens see here. */
static void test_overwrite_cuts_the_local_size(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b;
	struct open_params p = {.name = REC_SHARE u"\\a", .disposition = FILE_OVERWRITE_IF};
	ULONG_PTR information;

	(void)state;
	assert_int_equal(fcb_of(a)->Header.FileSize.QuadPart, rec.file_size);
	rec.create_hook = overwritten;
	assert_int_equal(file_open_with(&p, &b, &information), STATUS_SUCCESS);
	assert_int_equal(information, FILE_OVERWRITTEN);
	assert_int_equal(fcb_of(a)->Header.FileSize.QuadPart, 0);
	file_close(b);
	file_close(a);
}

static NTSTATUS another_file(PRX_CONTEXT rxc)
{
	if (rec_seen(REC_CREATE) != 2)
		return STATUS_SUCCESS;
	rxc->pFcb->fShouldBeOrphaned = TRUE;
	return STATUS_RETRY;
}

/* The name belongs to another file now: the new open gets an FCB of its own, the old one goes on. */
static void test_replaced_file_gets_its_own_fcb(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b;

	(void)state;
	rec.reparse_hook = another_file;
	rec.status[REC_SHOULD_COLLAPSE] = STATUS_MORE_PROCESSING_REQUIRED;
	b = file_open(REC_SHARE u"\\a");
	assert_int_equal(rec_seen(REC_CREATE), 3);
	assert_ptr_not_equal(fcb_of(a), fcb_of(b));
	assert_int_equal(req_run(file_read_make(a, 0, 10, false), NULL), STATUS_SUCCESS);
	assert_int_equal(req_run(file_read_make(b, 0, 10, false), NULL), STATUS_SUCCESS);
	file_close(a);
	file_close(b);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_cancelled_but_applied_is_closed),
		REC_TEST(test_credentials),
		REC_TEST(test_hostile_ea_lists),
		REC_TEST(test_symbolic_links),
		REC_TEST(test_overwrite_cuts_the_local_size),
		REC_TEST(test_replaced_file_gets_its_own_fcb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
