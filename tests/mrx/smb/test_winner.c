/*
 * MRxSrvCallWinnerNotify: who may serve a server keeps what it prepared for it, who may not lets go of it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "nt_exec.h"
#include "rx.h"

#include "mrx/smb/smb.h"

static struct smb_server *prepare(void)
{
	struct smb_options options = {0};
	struct smb_server *server;
	UNICODE_STRING name;

	RtlInitUnicodeString(&name, u"\\server");
	assert_int_equal(smb_server_create(&name, &options, &server), STATUS_SUCCESS);
	return server;
}

/* The loser's context is destroyed, and the record, which is another's, is left as it was. */
static void test_B_Object_hierarchy_13_loser_destroys_its_context(void **state)
{
	unsigned long bytes = nt_pool_bytes();
	struct smb_server *server = prepare();
	MRX_SRV_CALL sc = {.NodeTypeCode = RDBSS_NTC_SRVCALL}, before = sc;

	(void)state;
	assert_true(nt_pool_is_live(server));
	assert_int_equal(mrx_smb_srv_call_winner_notify(&sc, FALSE, server), STATUS_SUCCESS);
	assert_false(nt_pool_is_live(server));
	assert_int_equal(nt_pool_bytes(), bytes);
	assert_memory_equal(&sc, &before, sizeof(sc));
}

/* The winner's goes into the record, and with the record's end. */
static void test_winner_keeps_its_context(void **state)
{
	unsigned long bytes = nt_pool_bytes();
	struct smb_server *server = prepare();
	MRX_SRV_CALL sc = {.NodeTypeCode = RDBSS_NTC_SRVCALL};

	(void)state;
	assert_int_equal(mrx_smb_srv_call_winner_notify(&sc, TRUE, server), STATUS_SUCCESS);
	assert_true(nt_pool_is_live(server));
	assert_ptr_equal(sc.Context, server);
	assert_true(sc.Flags & SRVCALL_FLAG_FILE_SERVER);
	assert_int_equal(mrx_smb_finalize_srv_call(&sc, FALSE), STATUS_SUCCESS);
	assert_null(sc.Context);
	assert_int_equal(nt_pool_bytes(), bytes);
}

static int runtime_begin(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX};

	(void)state;
	return NT_SUCCESS(nt_initialize(&config)) ? 0 : -1;
}

static int runtime_end(void **state)
{
	(void)state;
	return nt_shutdown(stderr) == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_B_Object_hierarchy_13_loser_destroys_its_context),
		cmocka_unit_test(test_winner_keeps_its_context),
	};

	return cmocka_run_group_tests(tests, runtime_begin, runtime_end);
}
