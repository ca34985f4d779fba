/*
 * loadable.c - a shared object becomes a driver: looked at, loaded, its stamp compared.
 *
 * Owns:      the mapping of the file during a look; the handle of dlopen(), which stays until the process ends.
 * Locks:     none.
 *
 * The look comes first because loading executes: the object's constructors, and those of a sanitizer's run time,
 * which ends the process when it comes too late.  What the file says about itself is not trusted: every offset is
 * checked against the mapping.
 */
#include "front/door/loadable.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rdbss_abi.h"

#define STAMP "rdbss_abi_version"
#define ENTRY "DriverEntry"
#define NAMED_SYMBOLS 6 /* of the missing ones, in the message */

struct image {
	const char *bytes;
	size_t length;
	const Elf64_Shdr *sections;
	size_t section_count;
};

static bool inside(const struct image *image, uint64_t offset, uint64_t length)
{
	return offset <= image->length && length <= image->length - offset;
}

/* A NUL-terminated string in a string table, or "". */
static const char *string_at(const struct image *image, const Elf64_Shdr *table, uint64_t at)
{
	if (at >= table->sh_size || !inside(image, table->sh_offset, table->sh_size) ||
	    memchr(image->bytes + table->sh_offset + at, '\0', table->sh_size - at) == NULL)
		return "";
	return image->bytes + table->sh_offset + at;
}

static const Elf64_Shdr *section_of_type(const struct image *image, uint32_t type)
{
	for (size_t i = 0; i < image->section_count; i++) {
		const Elf64_Shdr *section = &image->sections[i];

		if (section->sh_type == type && inside(image, section->sh_offset, section->sh_size) &&
		    section->sh_link < image->section_count && section->sh_offset % 8 == 0)
			return section;
	}
	return NULL;
}

static bool map_file(const char *path, struct image *image, char *why, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	RtlZeroMemory(image, sizeof(*image));
	if (fd < 0 || fstat(fd, &st) != 0) {
		snprintf(why, size, "cannot be opened: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (S_ISREG(st.st_mode) && st.st_size >= (off_t)sizeof(Elf64_Ehdr)) {
		void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

		if (at != MAP_FAILED) {
			image->bytes = at;
			image->length = (size_t)st.st_size;
		}
	}
	close(fd);
	if (image->bytes == NULL)
		snprintf(why, size, "is not a shared object");
	return image->bytes != NULL;
}

static bool read_header(struct image *image, char *why, size_t size)
{
	const Elf64_Ehdr *header = (const void *)image->bytes;
	const Elf64_Ehdr *self = NULL;
	Dl_info own;

	/* our own header says which machine this is */
	if (dladdr((void *)(uintptr_t)door_loadable_check, &own) != 0)
		self = own.dli_fbase;
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_type != ET_DYN) {
		snprintf(why, size, "is not a shared object");
		return false;
	}
	if (header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    (self != NULL &&
	     (header->e_machine != self->e_machine || header->e_ident[EI_DATA] != self->e_ident[EI_DATA]))) {
		snprintf(why, size, "is a shared object for another machine");
		return false;
	}
	if (header->e_shoff == 0 || header->e_shoff % 8 != 0 || header->e_shentsize != sizeof(Elf64_Shdr) ||
	    !inside(image, header->e_shoff, (uint64_t)header->e_shnum * sizeof(Elf64_Shdr))) {
		snprintf(why, size, "is damaged: it has no table of sections");
		return false;
	}
	image->sections = (const void *)(image->bytes + header->e_shoff);
	image->section_count = header->e_shnum;
	return true;
}

/* Routines of a compiler's run time come with the object's own libraries. */
static bool is_instrumentation(const char *name)
{
	return strncmp(name, "__asan_", 7) == 0 || strncmp(name, "__ubsan_", 8) == 0 ||
	       strncmp(name, "__tsan_", 7) == 0 || strncmp(name, "__sanitizer_", 12) == 0 ||
	       strncmp(name, "__gcov_", 7) == 0 || strncmp(name, "__llvm_", 7) == 0;
}

static bool check_symbols(const struct image *image, char *why, size_t size)
{
	const Elf64_Shdr *table = section_of_type(image, SHT_DYNSYM);
	const Elf64_Shdr *versions = section_of_type(image, SHT_GNU_versym);
	const Elf64_Sym *symbols;
	size_t count, missing = 0, used = 0;
	bool stamp = false, entry = false;
	char names[256] = "";

	if (table == NULL) {
		snprintf(why, size, "exports nothing");
		return false;
	}
	symbols = (const void *)(image->bytes + table->sh_offset);
	count = table->sh_size / sizeof(*symbols);
	for (size_t i = 1; i < count; i++) {
		const char *name = string_at(image, &image->sections[table->sh_link], symbols[i].st_name);
		bool versioned = versions != NULL && versions->sh_size / 2 > i &&
				 (((const uint16_t *)(const void *)(image->bytes + versions->sh_offset))[i] &
				  0x7fff) > 1;

		if (symbols[i].st_shndx != SHN_UNDEF) {
			stamp = stamp || strcmp(name, STAMP) == 0;
			entry = entry || strcmp(name, ENTRY) == 0;
		} else if (ELF64_ST_BIND(symbols[i].st_info) != STB_WEAK && !versioned && name[0] != '\0' &&
			   !is_instrumentation(name) && dlsym(RTLD_DEFAULT, name) == NULL) {
			if (missing++ < NAMED_SYMBOLS && used < sizeof(names))
				used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
							 used == 0 ? "" : ", ", name);
		}
	}
	if (!stamp)
		snprintf(why, size, "is not a mini-redirector: it has no %s; build it with rdr build-minirdr",
			 STAMP);
	else if (!entry)
		snprintf(why, size, "has no %s", ENTRY);
	else if (missing > NAMED_SYMBOLS)
		snprintf(why, size, "needs routines that are not here: %s and %zu more", names,
			 missing - NAMED_SYMBOLS);
	else if (missing != 0)
		snprintf(why, size, "needs %s that %s not here: %s", missing == 1 ? "a routine" : "routines",
			 missing == 1 ? "is" : "are", names);
	return stamp && entry && missing == 0;
}

bool door_loadable_check(const char *path, char *why, size_t size)
{
	struct image image;
	bool good;

	if (!map_file(path, &image, why, size))
		return false;
	good = read_header(&image, why, size) && check_symbols(&image, why, size);
	munmap((void *)(uintptr_t)image.bytes, image.length);
	return good;
}

static const char *sanitizer_of(const struct image *image)
{
	static const struct {
		const char *library;
		const char *symbol;
	} sanitizers[] = {
		{"libasan.so", "__asan_init"},
		{"libclang_rt.asan", "__asan_init"},
		{"libtsan.so", "__tsan_init"},
		{"libclang_rt.tsan", "__tsan_init"},
	};
	const Elf64_Shdr *dynamic = section_of_type(image, SHT_DYNAMIC);
	const Elf64_Dyn *entry;

	if (dynamic == NULL)
		return "";
	entry = (const void *)(image->bytes + dynamic->sh_offset);
	for (size_t i = 0; i < dynamic->sh_size / sizeof(*entry); i++) {
		const char *library;

		if (entry[i].d_tag != DT_NEEDED)
			continue;
		library = string_at(image, &image->sections[dynamic->sh_link], entry[i].d_un.d_val);
		for (size_t k = 0; k < sizeof(sanitizers) / sizeof(sanitizers[0]); k++) {
			if (strncmp(library, sanitizers[k].library, strlen(sanitizers[k].library)) == 0 &&
			    dlsym(RTLD_DEFAULT, sanitizers[k].symbol) == NULL)
				return library;
		}
	}
	return "";
}

void door_loadable_needs(const char *path, char *library, size_t size)
{
	struct image image;
	char why[256];

	library[0] = '\0';
	if (!map_file(path, &image, why, sizeof(why)))
		return;
	if (read_header(&image, why, sizeof(why)))
		snprintf(library, size, "%s", sanitizer_of(&image));
	munmap((void *)(uintptr_t)image.bytes, image.length);
}

static bool check_stamp(const struct rdbss_abi *theirs, char *why, size_t size)
{
	static const struct rdbss_abi ours = RDBSS_ABI_INITIALIZER;
#define NAME_ONE(type) #type,
	static const char *const names[] = {RDBSS_ABI_STRUCTURES(NAME_ONE)};
#undef NAME_ONE

	if (memcmp(theirs->magic, ours.magic, sizeof(ours.magic)) != 0) {
		snprintf(why, size, "is not a mini-redirector: its %s is something else", STAMP);
		return false;
	}
	if (theirs->version != ours.version || theirs->bytes != ours.bytes ||
	    theirs->structure_count != ours.structure_count) {
		snprintf(why, size,
			 "was built for version %u.%u of the driver interface, this program has %u.%u: build "
			 "it "
			 "again",
			 theirs->version, theirs->structure_count, ours.version, ours.structure_count);
		return false;
	}
	for (size_t i = 0; i < RTL_NUMBER_OF(names); i++) {
		if (theirs->structure_bytes[i] == ours.structure_bytes[i])
			continue;
		snprintf(why, size,
			 "was built with other headers: %s has %u bytes there and %u here; build it again",
			 names[i], theirs->structure_bytes[i], ours.structure_bytes[i]);
		return false;
	}
	return true;
}

void door_loadable_name(const char *path, char *name, size_t size)
{
	const char *base = strrchr(path, '/');
	size_t n = 0;

	base = base != NULL ? base + 1 : path;
	if (strncmp(base, "lib", 3) == 0 && base[3] != '\0' && base[3] != '.')
		base += 3;
	for (; *base != '\0' && strncmp(base, ".so", 3) != 0 && n + 1 < size; base++) {
		bool plain = (*base >= 'a' && *base <= 'z') || (*base >= 'A' && *base <= 'Z') ||
			     (*base >= '0' && *base <= '9') || *base == '-' || *base == '_';

		name[n++] = plain ? *base : '_';
	}
	if (n == 0 && size > 1)
		name[n++] = '_';
	name[n] = '\0';
}

bool door_loadable_open(const char *path, struct door_loadable *out, char *why, size_t size)
{
	const struct rdbss_abi *stamp;
	PDRIVER_INITIALIZE entry;
	char library[256];

	RtlZeroMemory(out, sizeof(*out));
	if (!door_loadable_check(path, why, size))
		return false;
	door_loadable_needs(path, library, sizeof(library));
	if (library[0] != '\0') {
		snprintf(why, size,
			 "needs %s in the process before it: start this program with LD_PRELOAD=%s", library,
			 library);
		return false;
	}
	out->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (out->handle == NULL) {
		snprintf(why, size, "cannot be loaded: %s", dlerror());
		return false;
	}
	stamp = dlsym(out->handle, STAMP);
	*(void **)(void *)&entry = dlsym(out->handle, ENTRY);
	if (stamp == NULL || entry == NULL) { /* the file changed between the look and the load */
		snprintf(why, size, "has no %s", stamp == NULL ? STAMP : ENTRY);
		return false;
	}
	if (!check_stamp(stamp, why, size))
		return false;
	door_loadable_name(path, out->name, sizeof(out->name));
	out->driver.name = out->name;
	out->driver.entry = entry;
	out->driver.device = NULL;
	return true;
}
