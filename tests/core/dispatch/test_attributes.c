/*
 * test_attributes.c - extended attributes, security, quotas. Rows B-MRxQueryEaInfo, B-MRxSetEaInfo, B-MRxQuerySdInfo,
 * B-MRxSetSdInfo, B-MRxQueryQuotaInfo, B-MRxSetQuotaInfo.
 */
#include "../support/rec.h"

#define FLAGS (SL_RESTART_SCAN | SL_RETURN_SINGLE_ENTRY | SL_INDEX_SPECIFIED)

static struct {
	unsigned int calls;
	LONG used;
	ULONG_PTR information;
	NTSTATUS answer;
	PVOID buffer;
	LONG length;
	/* extended attributes */
	PUCHAR ea_list;
	ULONG ea_list_length, ea_index, ea_offset;
	/* security */
	SECURITY_INFORMATION security;
	PSECURITY_DESCRIPTOR descriptor;
	/* quota */
	PSID start_sid;
	PVOID sid_list;
	ULONG sid_list_length, quota_length;
	UCHAR flags; /* SL_..., from the three members */
} saw;

static UCHAR flags_of(BOOLEAN restart, BOOLEAN single, BOOLEAN indexed)
{
	return (UCHAR)((restart ? SL_RESTART_SCAN : 0) | (single ? SL_RETURN_SINGLE_ENTRY : 0) |
		       (indexed ? SL_INDEX_SPECIFIED : 0));
}

static NTSTATUS answer(PRX_CONTEXT rxc)
{
	saw.calls++;
	saw.buffer = rxc->Info.Buffer;
	saw.length = rxc->Info.LengthRemaining;
	rxc->InformationToReturn = saw.information;
	rxc->Info.LengthRemaining -= saw.used;
	return saw.answer;
}

static NTSTATUS NTAPI query_ea(PRX_CONTEXT rxc)
{
	saw.ea_list = rxc->QueryEa.UserEaList;
	saw.ea_list_length = rxc->QueryEa.UserEaListLength;
	saw.ea_index = rxc->QueryEa.UserEaIndex;
	saw.flags = flags_of(rxc->QueryEa.RestartScan, rxc->QueryEa.ReturnSingleEntry,
			     rxc->QueryEa.IndexSpecified);
	saw.ea_offset = rxc->pFobx->OffsetOfNextEaToReturn;
	rxc->pFobx->OffsetOfNextEaToReturn += 3;
	return answer(rxc);
}

static NTSTATUS NTAPI query_sd(PRX_CONTEXT rxc)
{
	saw.security = rxc->QuerySecurity.SecurityInformation;
	return answer(rxc);
}

static NTSTATUS NTAPI set_sd(PRX_CONTEXT rxc)
{
	saw.security = rxc->SetSecurity.SecurityInformation;
	saw.descriptor = rxc->SetSecurity.SecurityDescriptor;
	return answer(rxc);
}

static NTSTATUS NTAPI query_quota(PRX_CONTEXT rxc)
{
	saw.quota_length = rxc->QueryQuota.Length;
	saw.start_sid = rxc->QueryQuota.StartSid;
	saw.sid_list = rxc->QueryQuota.SidList;
	saw.sid_list_length = rxc->QueryQuota.SidListLength;
	saw.flags = flags_of(rxc->QueryQuota.RestartScan, rxc->QueryQuota.ReturnSingleEntry,
			     rxc->QueryQuota.IndexSpecified);
	return answer(rxc);
}

static NTSTATUS NTAPI set_quota(PRX_CONTEXT rxc)
{
	saw.quota_length = rxc->SetQuota.Length;
	return answer(rxc);
}

static int begin(void **state)
{
	PMINIRDR_DISPATCH dispatch;

	if (rec_setup(state) != 0)
		return -1;
	RtlZeroMemory(&saw, sizeof(saw));
	dispatch = rec.device->Dispatch;
	dispatch->MRxQueryEaInfo = query_ea;
	dispatch->MRxSetEaInfo = answer;
	dispatch->MRxQuerySdInfo = query_sd;
	dispatch->MRxSetSdInfo = set_sd;
	dispatch->MRxQueryQuotaInfo = query_quota;
	dispatch->MRxSetQuotaInfo = set_quota;
	return 0;
}

#define ATTRIBUTE_TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, rec_teardown)

static UCHAR list[40];

static struct req *query_ea_make(PFILE_OBJECT file, UCHAR flags)
{
	struct req *r = req_make(file, IRP_MJ_QUERY_EA, 0);

	req_sp(r)->Flags = flags;
	req_sp(r)->Parameters.QueryEa.Length = 250;
	req_sp(r)->Parameters.QueryEa.EaList = list;
	req_sp(r)->Parameters.QueryEa.EaListLength = sizeof(list);
	req_sp(r)->Parameters.QueryEa.EaIndex = 6;
	return r;
}

static void test_B_MRxQueryEaInfo_01_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	UCHAR flags;

	(void)state;
	for (flags = 0; flags <= FLAGS; flags++) {
		struct req *r = query_ea_make(file, flags);

		(void)req_send(r);
		assert_ptr_equal(saw.ea_list, list);
		assert_int_equal(saw.ea_list_length, sizeof(list));
		assert_int_equal(saw.ea_index, 6);
		assert_int_equal(saw.flags, flags);
		assert_ptr_equal(saw.buffer, r->buffer);
		assert_int_equal(saw.length, 250);
		assert_int_equal(req_end(r, NULL), STATUS_SUCCESS);
	}
	assert_int_equal(saw.calls, 8);
	file_close(file);
}

/* The position belongs to the driver and to one handle: the core keeps it from query to query and moves it never. */
static void test_B_MRxQueryEaInfo_02_position(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a"), other = file_open(REC_SHARE u"\\a");
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		assert_int_equal(req_run(query_ea_make(file, i == 3 ? SL_RESTART_SCAN : 0), NULL),
				 STATUS_SUCCESS);
		assert_int_equal(saw.ea_offset, 3 * i);
	}
	assert_int_equal(req_run(query_ea_make(other, 0), NULL), STATUS_SUCCESS);
	assert_int_equal(saw.ea_offset, 0);
	assert_int_equal(fobx_of(file)->OffsetOfNextEaToReturn, 12);
	file_close(other);
	file_close(file);
}

/* E-21: what the driver left unused is subtracted; an error has no data. */
static void test_B_MRxQueryEaInfo_03_information(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	ULONG_PTR information;

	(void)state;
	saw.used = 99;
	saw.information = 7; /* not this */
	assert_int_equal(req_run(query_ea_make(file, 0), &information), STATUS_SUCCESS);
	assert_int_equal(information, 99);
	saw.answer = STATUS_BUFFER_OVERFLOW;
	assert_int_equal(req_run(query_ea_make(file, 0), &information), STATUS_BUFFER_OVERFLOW);
	assert_int_equal(information, 99);
	saw.answer = STATUS_NO_EAS_ON_FILE;
	assert_int_equal(req_run(query_ea_make(file, 0), &information), STATUS_NO_EAS_ON_FILE);
	assert_int_equal(information, 0);
	file_close(file);
}

static void test_B_MRxSetEaInfo_01_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = req_make(file, IRP_MJ_SET_EA, 0);

	(void)state;
	req_sp(r)->Parameters.SetEa.Length = 88;
	saw.answer = STATUS_EA_TOO_LARGE;
	(void)req_send(r);
	assert_int_equal(saw.calls, 1);
	assert_ptr_equal(saw.buffer, r->buffer);
	assert_int_equal(saw.length, 88);
	assert_int_equal(req_end(r, NULL), STATUS_EA_TOO_LARGE);
	file_close(file);
}

static struct req *query_sd_make(PFILE_OBJECT file)
{
	struct req *r = req_make(file, IRP_MJ_QUERY_SECURITY, 0);

	req_sp(r)->Parameters.QuerySecurity.SecurityInformation =
		OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
	req_sp(r)->Parameters.QuerySecurity.Length = 200;
	return r;
}

/* E-21: here it is what the driver says, not what it left; and the size needed when there was no room. */
static void test_B_MRxQuerySdInfo_01_information(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = query_sd_make(file);
	ULONG_PTR information;

	(void)state;
	saw.used = 50; /* not this */
	saw.information = 60;
	(void)req_send(r);
	assert_int_equal(saw.security, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION);
	assert_ptr_equal(saw.buffer, r->buffer);
	assert_int_equal(saw.length, 200);
	assert_int_equal(req_end(r, &information), STATUS_SUCCESS);
	assert_int_equal(information, 60);
	saw.answer = STATUS_BUFFER_OVERFLOW;
	saw.information = 1000;
	assert_int_equal(req_run(query_sd_make(file), &information), STATUS_BUFFER_OVERFLOW);
	assert_int_equal(information, 1000);
	file_close(file);
}

static void test_B_MRxSetSdInfo_01_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = req_make(file, IRP_MJ_SET_SECURITY, 0);

	(void)state;
	req_sp(r)->Parameters.SetSecurity.SecurityInformation = SACL_SECURITY_INFORMATION;
	req_sp(r)->Parameters.SetSecurity.SecurityDescriptor = (PSECURITY_DESCRIPTOR)list;
	saw.answer = STATUS_ACCESS_DENIED;
	assert_int_equal(req_run(r, NULL), STATUS_ACCESS_DENIED);
	assert_int_equal(saw.calls, 1);
	assert_int_equal(saw.security, SACL_SECURITY_INFORMATION);
	assert_ptr_equal(saw.descriptor, list);
	file_close(file);
}

static struct req *query_quota_make(PFILE_OBJECT file, UCHAR flags)
{
	struct req *r = req_make(file, IRP_MJ_QUERY_QUOTA, 0);

	req_sp(r)->Flags = flags;
	req_sp(r)->Parameters.QueryQuota.Length = 150;
	req_sp(r)->Parameters.QueryQuota.StartSid = (PSID)(list + 4);
	req_sp(r)->Parameters.QueryQuota.SidList = (PFILE_GET_QUOTA_INFORMATION)list;
	req_sp(r)->Parameters.QueryQuota.SidListLength = 24;
	return r;
}

static void test_B_MRxQueryQuotaInfo_01_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	ULONG_PTR information;
	UCHAR flags;

	(void)state;
	saw.information = 70;
	for (flags = 0; flags <= FLAGS; flags++) {
		struct req *r = query_quota_make(file, flags);

		(void)req_send(r);
		assert_ptr_equal(saw.sid_list, list);
		assert_int_equal(saw.sid_list_length, 24);
		assert_ptr_equal(saw.start_sid, list + 4);
		assert_int_equal(saw.quota_length, 150);
		assert_int_equal(saw.length, 150);
		assert_ptr_equal(saw.buffer, r->buffer);
		assert_int_equal(saw.flags, flags);
		assert_int_equal(req_end(r, &information), STATUS_SUCCESS);
		assert_int_equal(information, 70);
	}
	file_close(file);
}

/* A failure returns nothing, whatever the driver left in InformationToReturn. */
static void test_B_MRxQueryQuotaInfo_02_failure(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	ULONG_PTR information = 1;

	(void)state;
	saw.information = 70;
	saw.answer = STATUS_INVALID_SID;
	assert_int_equal(req_run(query_quota_make(file, 0), &information), STATUS_INVALID_SID);
	assert_int_equal(information, 0);
	saw.answer = STATUS_BUFFER_TOO_SMALL; /* the status that may carry a size elsewhere */
	assert_int_equal(req_run(query_quota_make(file, 0), &information), STATUS_BUFFER_TOO_SMALL);
	assert_int_equal(information, 0);
	file_close(file);
}

static void test_B_MRxSetQuotaInfo_01_parameters(void **state)
{
	PFILE_OBJECT file = file_open(REC_SHARE u"\\a");
	struct req *r = req_make(file, IRP_MJ_SET_QUOTA, 0);

	(void)state;
	req_sp(r)->Parameters.SetQuota.Length = 66;
	(void)req_send(r);
	assert_int_equal(saw.calls, 1);
	assert_int_equal(saw.quota_length, 66);
	assert_int_equal(saw.length, 66);
	assert_ptr_equal(saw.buffer, r->buffer);
	assert_int_equal(req_end(r, NULL), STATUS_SUCCESS);
	file_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ATTRIBUTE_TEST(test_B_MRxQueryEaInfo_01_parameters),
		ATTRIBUTE_TEST(test_B_MRxQueryEaInfo_02_position),
		ATTRIBUTE_TEST(test_B_MRxQueryEaInfo_03_information),
		ATTRIBUTE_TEST(test_B_MRxSetEaInfo_01_parameters),
		ATTRIBUTE_TEST(test_B_MRxQuerySdInfo_01_information),
		ATTRIBUTE_TEST(test_B_MRxSetSdInfo_01_parameters),
		ATTRIBUTE_TEST(test_B_MRxQueryQuotaInfo_01_parameters),
		ATTRIBUTE_TEST(test_B_MRxQueryQuotaInfo_02_failure),
		ATTRIBUTE_TEST(test_B_MRxSetQuotaInfo_01_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
