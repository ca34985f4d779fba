/*
 * help.c - the text of `rdr --help`.
 */
#include "rdr.h"

static const char text[] =
	"Usage: rdr VERB ...\n"
	"\n"
	"  rdr mount [-o OPTIONS] SPEC DIR   mount a share; returns when it works\n"
	"  rdr mount --minirdr DRIVER.so [-o OPTIONS] [SPEC] DIR\n"
	"                                    the same with a mini-redirector of your own\n"
	"  rdr umount [-f] DIR               end a mount; says whether all memory was freed\n"
	"  rdr list [--json]                 the mounts of this user\n"
	"  rdr status [--json] [DIR]         servers, shares and open files, and who holds them\n"
	"  rdr status --check [--json] [DIR] whether these objects agree with each other; exit code 4: no\n"
	"  rdr status --stats [--json] [DIR] round trips of each operation, and what else was counted\n"
	"  rdr --help, rdr --version\n"
	"\n"
	"SPEC is one of\n"
	"  //server[:port]/share[/path]      also \\\\server\\share\n"
	"  smb://[domain;][user@]server[:port]/share[/path][?option=value&...]\n"
	"  mem:[volume]                      a volume in memory, gone at the unmount\n"
	"For a DRIVER.so it is //server/share[/path], a NAME for //NAME/share, or nothing for\n"
	"//DRIVER/share.\n"
	"\n"
	"mount:\n"
	"  -o LIST         options, separated by commas; may be repeated\n"
	"  -f              stay in the foreground\n"
	"  -d              foreground, with a trace of every FUSE request\n"
	"  -s              one thread\n"
	"  -r              read-only, as -o ro\n"
	"  -v              say more; tells which options have no effect\n"
	"  --log-file FILE where a daemon writes what it has to say\n"
	"  --also DIR2     mem: only: the same volume there too, as another client sees it; goes with DIR\n"
	"  --minirdr FILE  a driver made with rdr build-minirdr (docs/WRITING-A-MINIRDR.md)\n"
	"  --device FILE   a socket at which programs open the driver's devices\n"
	"umount:\n"
	"  -f, --force     also when the mount is in use\n"
	"  -q, --quiet     say nothing when all went well\n"
	"\n"
	"The password comes from credentials=FILE (lines username=, password=, domain=; mode 0600),\n"
	"from PASSWD_FILE, PASSWD_FD or PASSWD, from USER=name%password, or is asked for.  A password\n"
	"with a comma cannot stand behind -o: use a file.\n"
	"\n"
	"Options:\n";

static const char tail[] =
	"\n"
	"Signals to the daemon: TERM and INT unmount; HUP reopens the log file; USR1 writes the state\n"
	"there.  As mount.rdr or mount.fuse.rdr the program is a helper of mount(8).\n"
	"\n"
	"Exit codes, as mount(8): 0 done; 1 bad invocation or permission; 2 system error; 4 internal\n"
	"error, such as a leak or objects that disagree; 8 interrupted; 32 the mount (or unmount) failed.  "
	"They can be added up.\n";

void rdr_help(FILE *out)
{
	fputs(text, out);
	rdr_options_help(out);
	fputs(tail, out);
}
