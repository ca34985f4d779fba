/*
 * What an open makes, and how its parts hang together: file object, FOBX, SRV_OPEN, FCB. Rows B-FCB, B-FOBX,
 * B-SRV_OPEN.
 */
#include "../support/rec.h"

#define OPEN(...) (&(struct open_params){.disposition = FILE_OPEN, __VA_ARGS__})

static unsigned int srv_opens_of(FCB *fcb)
{
	unsigned int count = 0;

	for (PLIST_ENTRY at = fcb->SrvOpenList.Flink; at != &fcb->SrvOpenList; at = at->Flink) {
		assert_ptr_equal(CONTAINING_RECORD(at, SRV_OPEN, SrvOpenQLinks)->pFcb, fcb);
		count++;
	}
	return count;
}

static unsigned int fobxs_of(PMRX_SRV_OPEN so)
{
	PLIST_ENTRY head = &((PSRV_OPEN)so)->FobxList;
	unsigned int count = 0;

	for (PLIST_ENTRY at = head->Flink; at != head; at = at->Flink) {
		assert_ptr_equal(CONTAINING_RECORD(at, FOBX, FobxQLinks)->pSrvOpen, so);
		count++;
	}
	return count;
}

static PFILE_OBJECT open_with_access(ACCESS_MASK access)
{
	PFILE_OBJECT file;

	assert_int_equal(file_open_with(OPEN(.name = REC_SHARE u"\\a", .access = access), &file, NULL),
			 STATUS_SUCCESS);
	return file;
}

/* The two pointers of the file object, and the way back. */
static void test_B_FCB_01_fscontext(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\dir\\a");

	(void)state;
	assert_int_equal(NodeType(file->FsContext), RDBSS_NTC_STORAGE_TYPE_FILE);
	assert_memory_equal(fcb_of(file)->FcbTableEntry.Path.Buffer, u"\\dir\\a", 6 * sizeof(WCHAR));
	assert_ptr_equal(fobx_of(file)->pSrvOpen->pFcb, fcb_of(file));
	file_close(file);
}

/* One name, one FCB, whatever the case; two names are two FCBs, though the server may know one file by both. */
static void test_B_FCB_02_sharing_and_aliases(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), same = file_open(REC_SHARE u"\\A"),
		     alias = file_open(REC_SHARE u"\\b");
	LARGE_INTEGER id = {.QuadPart = 4711};
	LONGLONG size = 77;

	(void)state;
	assert_ptr_equal(fcb_of(a), fcb_of(same));
	assert_ptr_not_equal(fcb_of(a), fcb_of(alias));
	fcb_of(a)->IndexNumber = id; /* the driver found out that they are one */
	fcb_of(alias)->IndexNumber = id;
	RxSetFileSizeWithLock(fcb_of(a), &size);
	RxGetFileSizeWithLock(fcb_of(same), &size);
	assert_int_equal(size, 77);
	RxGetFileSizeWithLock(fcb_of(alias), &size);
	assert_int_equal(size, rec.file_size);
	file_close(same);
	file_close(alias);
	file_close(a);
}

/* The first open of a file uses what came with the FCB; later ones add opens, and file objects to an open. */
static void test_B_FCB_03_several_of_each(void **state)
{
	PFILE_OBJECT first = open_with_access(FILE_READ_DATA), second, third;
	FCB *fcb = fcb_of(first);

	(void)state;
	assert_ptr_equal(fobx_of(first)->pSrvOpen, fcb->InternalSrvOpen);
	assert_ptr_equal(fobx_of(first), fcb->InternalFobx);
	assert_int_equal(fcb->FcbState & (FCB_STATE_SRVOPEN_USED | FCB_STATE_FOBX_USED),
			 FCB_STATE_SRVOPEN_USED | FCB_STATE_FOBX_USED);
	second = open_with_access(FILE_READ_DATA); /* collapses */
	third = open_with_access(FILE_WRITE_DATA); /* does not */
	assert_ptr_equal(fcb_of(second), fcb);
	assert_ptr_equal(fcb_of(third), fcb);
	assert_int_equal(srv_opens_of(fcb), 2);
	assert_int_equal(fobxs_of(fobx_of(first)->pSrvOpen), 2);
	assert_int_equal(fobxs_of(fobx_of(third)->pSrvOpen), 1);
	file_close(first);
	assert_int_equal(srv_opens_of(fcb), 2);
	assert_int_equal(fobxs_of(fobx_of(second)->pSrvOpen), 1);
	file_close(second);
	assert_int_equal(srv_opens_of(fcb), 1);
	file_close(third);
}

/* Locks and section pointers lie in the other part; it knows whose it is. */
static void test_B_FCB_04_two_parts(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	FCB *fcb = fcb_of(file);

	(void)state;
	assert_non_null(fcb->NonPaged);
	assert_int_equal(NodeType(fcb->NonPaged), RDBSS_NTC_NONPAGED_FCB);
	assert_ptr_equal(fcb->Header.Resource, &fcb->NonPaged->HeaderResource);
	assert_ptr_equal(fcb->Header.PagingIoResource, &fcb->NonPaged->PagingIoResource);
	assert_ptr_equal(file->SectionObjectPointer, &fcb->NonPaged->SectionObjectPointers);
	assert_ptr_equal(fcb->NonPaged->FcbBackPointer, fcb);
	file_close(file);
}

static void test_B_FOBX_01_fscontext2(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");

	(void)state;
	assert_int_equal(NodeType(file->FsContext2), RDBSS_NTC_FOBX);
	assert_ptr_equal(fobx_of(file)->AssociatedFileObject, file);
	file_close(file);
}

#define DRIVERS_BITS 0x0000ffffu
#define OUR_BITS 0xffff0000u

static ULONG fobx_flags_seen, srv_open_flags_seen;

/* A driver that uses all of its half, but for the bits that ask RDBSS for something. */
static NTSTATUS set_drivers_bits(PRX_CONTEXT rxc)
{
	PMRX_SRV_OPEN so = rxc->pRelevantSrvOpen;

	rxc->pFobx->Flags |= DRIVERS_BITS & ~(ULONG)(FOBX_FLAG_BAD_HANDLE | FOBX_FLAG_BACKUP_INTENT);
	so->Flags |= SRVOPEN_FLAG_DONTUSE_READ_CACHING | SRVOPEN_FLAG_DONTUSE_WRITE_CACHING | 0xf800;
	fobx_flags_seen = rxc->pFobx->Flags;
	srv_open_flags_seen = so->Flags;
	return STATUS_SUCCESS;
}

static PFILE_OBJECT open_and_use(void)
{
	FILE_BASIC_INFORMATION basic = {.CreationTime.QuadPart = 1, .FileAttributes = 0};
	PFILE_OBJECT file;

	rec.create_hook = set_drivers_bits;
	file = file_open(REC_SHARE u"\\a");
	rec.create_hook = NULL;
	assert_int_equal(req_run(file_read_make(file, 0, 10, false), NULL), STATUS_SUCCESS);
	assert_int_equal(req_run(file_write_make(file, 0, 10, false), NULL), STATUS_SUCCESS);
	assert_int_equal(req_run(file_set_make(file, FileBasicInformation, &basic, sizeof(basic)), NULL),
			 STATUS_SUCCESS);
	return file;
}

/* What the driver put into its half is there after the file was used; what we note goes to the other half. */
static void test_B_FOBX_02_halves_of_the_flags(void **state)
{
	PFILE_OBJECT file = open_and_use();
	ULONG flags = fobx_of(file)->Flags;

	(void)state;
	assert_int_equal(flags & DRIVERS_BITS, fobx_flags_seen & DRIVERS_BITS);
	assert_int_not_equal(flags & OUR_BITS, 0);
	assert_int_equal((FOBX_FLAG_DFS_OPEN | FOBX_FLAG_BAD_HANDLE | FOBX_FLAG_BACKUP_INTENT) & OUR_BITS, 0);
	assert_int_equal((FOBX_FLAG_MATCH_ALL | FOBX_FLAG_FREE_UNICODE | FOBX_FLAG_USER_SET_CREATION |
			  FOBX_FLAG_DELETE_ON_CLOSE | FOBX_FLAG_SRVOPEN_CLOSED | FOBX_FLAG_UNC_NAME |
			  FOBX_FLAG_ENCLOSED_ALLOCATED | FOBX_FLAG_MARKED_AS_DORMANT) &
				 DRIVERS_BITS,
			 0);
	file_close(file);
}

/* One each: no two file objects share one, and no file object changes it. */
static void test_B_FOBX_03_one_per_file_object(void **state)
{
	PFILE_OBJECT a = file_open(REC_SHARE u"\\a"), b = file_open(REC_SHARE u"\\a");
	FOBX *of_a = fobx_of(a);

	(void)state;
	assert_ptr_equal(fobx_of(a)->pSrvOpen, fobx_of(b)->pSrvOpen);
	assert_ptr_not_equal(fobx_of(a), fobx_of(b));
	assert_ptr_equal(fobx_of(b)->AssociatedFileObject, b);
	assert_int_equal(req_run(file_read_make(a, 0, 10, false), NULL), STATUS_SUCCESS);
	assert_ptr_equal(fobx_of(a), of_a);
	file_close(b);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FOBX), 1);
	assert_ptr_equal(of_a->AssociatedFileObject, a);
	file_close(a);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FOBX), 2);
}

/* Equal rights share the open at the server; others have their own. */
static void test_B_SRV_OPEN_01_shared_when_rights_match(void **state)
{
	PFILE_OBJECT a = open_with_access(FILE_READ_DATA), b = open_with_access(FILE_READ_DATA),
		     c = open_with_access(FILE_READ_DATA | FILE_WRITE_DATA);

	(void)state;
	assert_ptr_equal(fobx_of(a)->pSrvOpen, fobx_of(b)->pSrvOpen);
	assert_ptr_not_equal(fobx_of(a)->pSrvOpen, fobx_of(c)->pSrvOpen);
	assert_int_equal(fobx_of(a)->pSrvOpen->DesiredAccess & FILE_WRITE_DATA, 0);
	assert_int_equal(fobx_of(c)->pSrvOpen->DesiredAccess & FILE_WRITE_DATA, FILE_WRITE_DATA);
	assert_int_equal(rec_seen(REC_CREATE), 2);
	file_close(a);
	file_close(b);
	file_close(c);
}

static void test_B_SRV_OPEN_02_halves_of_the_flags(void **state)
{
	PFILE_OBJECT file = open_and_use();
	ULONG flags = fobx_of(file)->pSrvOpen->Flags;

	(void)state;
	assert_int_equal(flags & DRIVERS_BITS, srv_open_flags_seen & DRIVERS_BITS);
	assert_int_not_equal(flags & OUR_BITS, 0);
	assert_int_equal((SRVOPEN_FLAG_ENCLOSED_ALLOCATED | SRVOPEN_FLAG_FOBX_USED |
			  SRVOPEN_FLAG_SHAREACCESS_UPDATED) &
				 DRIVERS_BITS,
			 0);
	file_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_B_FCB_01_fscontext),
		REC_TEST(test_B_FCB_02_sharing_and_aliases),
		REC_TEST(test_B_FCB_03_several_of_each),
		REC_TEST(test_B_FCB_04_two_parts),
		REC_TEST(test_B_FOBX_01_fscontext2),
		REC_TEST(test_B_FOBX_02_halves_of_the_flags),
		REC_TEST(test_B_FOBX_03_one_per_file_object),
		REC_TEST(test_B_SRV_OPEN_01_shared_when_rights_match),
		REC_TEST(test_B_SRV_OPEN_02_halves_of_the_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
