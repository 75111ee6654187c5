/* A disk that fails, for tests: preloaded into a process (LD_PRELOAD), it stands between it and the files of some folders.
 *
 * Each folder in the one that FAULTS_UNDER names is a disk of its own, and its name says what is wrong with it: faults,
 * joined by `-`, each a kind and the number of the operation that it comes at. Operations are counted from 1, or from the
 * fault before: making, writing, truncating, syncing and removing files, making and syncing folders. Names with a dot are
 * no disks.
 *
 *   eio7      the 7th operation fails with EIO; so do full7 with ENOSPC, and short7, where half was written before
 *   dead7     all fail with EIO from the 7th on; brim7: all that need room, with ENOSPC
 *   forget7   the 7th sync of a file fails with EIO, the kernel holds all of it for written, and the disk has none of it
 *   revert7   the same, and what was not written is forgotten in memory too
 *   power7s3  the power fails at the 7th: NAME.left is then what the disk may hold, by the seed 3, and the process is gone
 *   watch5    the process goes on, and NAME.left/OPERATION.SEED is what the disk would hold then, by 5 seeds of 16 in turn
 *
 * NAME.hit is there once a fault has come, and where there is NAME.mended none comes. What the disk holds: all that was
 * synced, and of each write since, all, nothing or some of its sectors. A file's name is held once its folder was synced;
 * until then it may be there or not. Seed 0 drops whatever may be dropped, 1 keeps all, 2 stops somewhere in the order of
 * the writes; others take each as it comes. A file named `acked` is no part of the disk: it is copied as it is. Files named
 * `*-shm` can fail but hold nothing: they are memory. Whoever opens a file `photoSEEDS` has what the disk would hold then put
 * there too. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, FDS = 4096, FAULTS = 8, SEEDS = 16 };

/* A write, or with no data a truncation to `size`, in the order of all of them. */
struct op { struct op *next; uint64_t order; off_t at; size_t size; char *data; };
struct file { int folder, memory; char *held; size_t size; struct op *first, **last; };
/* A name, what it means now, what on the disk, and what in the state that is being told. */
struct entry { struct entry *next; char *name; struct file *now, *held, *left; };
struct fault { char kind[8]; uint64_t at, counted; unsigned seed; int came; };
struct disk {
    struct disk *next; char *name; struct fault faults[FAULTS]; struct entry *entries; uint64_t ops, order; int open, half;
};

static struct disk *disks;
static struct { struct disk *disk; struct file *file; struct entry *entry; } fds[FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *under;

#define REAL(result, name, ...) static result (*real_##name)(__VA_ARGS__)
REAL(int, open, const char *, int, ...);
REAL(int, close, int);
REAL(ssize_t, write, int, const void *, size_t);
REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
REAL(int, ftruncate, int, off_t);
REAL(int, unlink, const char *);
REAL(int, mkdir, const char *, mode_t);

__attribute__((constructor)) static void begin(void) {
#define FIND(name) real_##name = dlsym(RTLD_NEXT, #name)
    FIND(open), FIND(close), FIND(write), FIND(pwrite), FIND(ftruncate), FIND(unlink), FIND(mkdir);
    under = getenv("FAULTS_UNDER");
}

static void fail(const char *what) {
    fprintf(stderr, "the disk of faults: %s\n", what);
    abort();
}

static void *room(void *old, size_t size) {
    void *new = realloc(old, size ? size : 1);
    if (!new) fail("no memory");
    return new;
}

/* ---- what a disk holds ---- */

static void resize(struct file *file, size_t size) {
    file->held = room(file->held, size);
    if (size > file->size) memset(file->held + file->size, 0, size - file->size);
    file->size = size;
}

static void put(struct file *file, const struct op *op, size_t from, size_t to) {
    if ((size_t)op->at + to > file->size) resize(file, op->at + to);
    memcpy(file->held + op->at + from, op->data + from, to - from);
}

static void forget(struct file *file, int apply) {
    for (struct op *op = file->first, *next; op; op = next) {
        next = op->next;
        if (apply && op->data) put(file, op, 0, op->size);
        else if (apply) resize(file, op->size);
        free(op->data), free(op);
    }
    file->first = NULL, file->last = &file->first;
}

static void pend(struct disk *disk, struct file *file, off_t at, size_t size, const void *data) {
    if (file->memory) return;
    struct op *op = room(NULL, sizeof *op);
    *op = (struct op){ .order = ++disk->order, .at = at, .size = size, .data = data ? room(NULL, size) : NULL };
    if (data) memcpy(op->data, data, size);
    *file->last = op, file->last = &op->next;
}

static uint64_t state;
static uint64_t roll(void) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
}

static void spill(const char *path, const char *bytes, size_t size) {
    int fd = real_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    for (size_t done = 0; fd >= 0 && done < size;) {
        ssize_t wrote = real_write(fd, bytes + done, size - done);
        if (wrote <= 0) fail("what it holds cannot be written");
        done += wrote;
    }
    if (fd < 0 || real_close(fd)) fail("what it holds cannot be written");
}

/* What a file may be after the power failed. `stop`: what came after that is not there. */
static struct file surviving(const struct file *file, unsigned seed, uint64_t stop) {
    struct file left = { .size = file->size, .held = room(NULL, file->size) };
    memcpy(left.held, file->held, file->size);
    for (const struct op *op = file->first; op; op = op->next) {
        int keeps = seed == 1 || (seed == 2 && op->order < stop) || (seed > 2 && roll() % 3 == 0);
        int tears = !keeps && ((seed == 2 && op->order == stop) || (seed > 2 && roll() % 2));
        if (!op->data && (keeps || tears)) resize(&left, op->size);
        for (size_t from = 0, to; op->data && (keeps || tears) && from < op->size; from = to) {
            to = from + SECTOR - (op->at + from) % SECTOR;
            if (to > op->size) to = op->size;
            if (keeps || roll() % 2) put(&left, op, from, to);
        }
    }
    return left;
}

static void spill_left(const char *path, const struct file *file, unsigned seed, uint64_t stop) {
    struct file left = surviving(file, seed, stop);
    spill(path, left.held, left.size);
    free(left.held);
}

/* Whether the folder of a path is not there. */
static int is_lost(const char *path) {
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    return access(folder, F_OK);
}

static const char *place(char *path, const struct disk *disk, const char *of, const char *name) {
    snprintf(path, PATH_MAX, "%s/%s%s%s%s", under, disk->name, of, *name ? "/" : "", name);
    return path;
}

static void photograph(struct disk *disk, const char *folder, unsigned seed) {
    char path[PATH_MAX];
    state = 0x9e3779b97f4a7c15u ^ (disk->ops << 20) ^ seed;
    for (int at = 0; at < 8; at++) roll();
    uint64_t oldest = disk->order;
    for (struct entry *entry = disk->entries; entry; entry = entry->next)
        if (entry->now && entry->now->first && entry->now->first->order < oldest) oldest = entry->now->first->order;
    uint64_t stop = oldest + roll() % (disk->order - oldest + 1);
    real_mkdir(place(path, disk, folder, ""), 0755);
    /* Folders first; one that is lost takes along what is in it. */
    for (int files = 0; files < 2; files++)
        for (struct entry *entry = disk->entries; entry; entry = entry->next) {
            if (!files) entry->left = seed == 1 || (seed > 1 && roll() % 2) ? entry->now : entry->held;
            struct file *file = entry->left;
            if (!file || file->memory || file->folder == files) continue;
            place(path, disk, folder, entry->name);
            if (!file->folder && !is_lost(path)) spill_left(path, file, seed, stop);
            else if (file->folder) real_mkdir(path, 0755);
        }
    char acked[256];
    int fd = real_open(place(path, disk, "", "acked"), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t size = read(fd, acked, sizeof acked);
    real_close(fd);
    spill(place(path, disk, folder, "acked"), acked, size < 0 ? 0 : size);
}

static void photographs(struct disk *disk, uint64_t number, unsigned seeds) {
    char path[PATH_MAX];
    real_mkdir(place(path, disk, ".left", ""), 0755);
    for (unsigned n = 0; n < seeds; n++) {
        unsigned seed = (number * seeds + n) % SEEDS;
        char folder[64];
        snprintf(folder, sizeof folder, ".left/%llu.%u", (unsigned long long)number, seed);
        photograph(disk, folder, seed);
    }
}

/* ---- disks and their files ---- */

static void read_plan(struct disk *disk) {
    const char *at = disk->name;
    for (int n = 0; *at && n < FAULTS; n++) {
        struct fault *fault = &disk->faults[n];
        size_t kind = strspn(at, "abcdefghijklmnopqrstuvwxyz"), most = sizeof fault->kind - 1;
        memcpy(fault->kind, at, kind < most ? kind : most);
        char *end;
        fault->at = strtoull(at + kind, &end, 10);
        if (*end == 's') fault->seed = strtoul(end + 1, &end, 10);
        at = *end == '-' ? end + 1 : end;
        if (*end && *end != '-') fail("a disk's name is no list of faults");
    }
}

static void drop_idle(void) {
    for (struct disk **at = &disks; *at;) {
        struct disk *disk = *at;
        if (disk->open) { at = &disk->next; continue; }
        *at = disk->next;
        for (struct entry *entry = disk->entries, *next; entry; entry = next) {
            next = entry->next;
            struct file *both[] = { entry->now, entry->held == entry->now ? NULL : entry->held };
            for (int n = 0; n < 2; n++)
                if (both[n]) forget(both[n], 0), free(both[n]->held), free(both[n]);
            free(entry->name), free(entry);
        }
        free(disk->name), free(disk);
    }
}

/* The disk of a path, and what follows its name. */
static struct disk *disk_of(const char *path, const char **rest) {
    size_t base = under ? strlen(under) : 0;
    if (!base || strncmp(path, under, base) || path[base] != '/') return NULL;
    const char *name = path + base + 1, *slash = strchr(name, '/');
    size_t size = slash ? (size_t)(slash - name) : strlen(name);
    if (memchr(name, '.', size) || (slash && !strcmp(slash, "/acked"))) return NULL;
    *rest = slash ? slash + 1 : "";
    for (struct disk *disk = disks; disk; disk = disk->next)
        if (strlen(disk->name) == size && !memcmp(disk->name, name, size)) return disk;
    drop_idle();
    struct disk *disk = room(NULL, sizeof *disk);
    *disk = (struct disk){ .next = disks, .name = strndup(name, size) };
    read_plan(disk);
    return disks = disk;
}

static struct entry *entry_of(struct disk *disk, const char *name) {
    struct entry **at = &disk->entries;
    for (; *at; at = &(*at)->next)
        if (!strcmp((*at)->name, name)) return *at;
    *at = room(NULL, sizeof **at);
    **at = (struct entry){ .name = strdup(name) };
    return *at;
}

static struct file *new_file(const char *name, int folder) {
    struct file *file = room(NULL, sizeof *file);
    size_t size = strlen(name);
    *file = (struct file){ .folder = folder, .memory = size > 4 && !strcmp(name + size - 4, "-shm") };
    file->held = room(NULL, 0), file->last = &file->first;
    return file;
}

/* What was there before is held. */
static void meet(struct entry *entry, const char *path, const struct stat *found) {
    if (entry->now) return;
    entry->now = entry->held = new_file(entry->name, S_ISDIR(found->st_mode));
    if (entry->now->folder || entry->now->memory) return;
    int fd = real_open(path, O_RDONLY | O_CLOEXEC);
    resize(entry->now, found->st_size);
    if (fd < 0 || read(fd, entry->now->held, found->st_size) != found->st_size) fail("a file cannot be read");
    real_close(fd);
}

static void make(struct entry *entry, int folder) {
    entry->now = new_file(entry->name, folder);
}

/* All names directly in a folder are held. */
static void hold_names(struct disk *disk, const char *folder) {
    size_t size = strlen(folder);
    for (struct entry *entry = disk->entries; entry; entry = entry->next) {
        const char *name = entry->name;
        if (size && (strncmp(name, folder, size) || name[size] != '/')) continue;
        if (!strchr(name + (size ? size + 1 : 0), '/')) entry->held = entry->now;
    }
}

/* ---- faults ---- */

enum { MAKE, WRITE, SYNC, REMOVE };

static int is(const struct fault *fault, const char *kind) { return !strcmp(fault->kind, kind); }

static void hit(struct disk *disk, struct fault *fault) {
    char path[PATH_MAX];
    if (!fault->came) spill(place(path, disk, ".hit", ""), "", 0);
    fault->came = 1;
}

static void revert(struct disk *disk, struct file *file) {
    char path[PATH_MAX];
    for (struct entry *entry = disk->entries; entry; entry = entry->next) {
        if (entry->now != file || file->memory) continue;
        int fd = real_open(place(path, disk, "", entry->name), O_WRONLY | O_CLOEXEC);
        if (real_pwrite(fd, file->held, file->size, 0) != (ssize_t)file->size || real_ftruncate(fd, file->size))
            fail("what was not written cannot be forgotten");
        real_close(fd);
    }
}

/* Counts an operation. 0 where it is to be done, else why not; `half` is told where half of it is to be done. */
static int strike(struct disk *disk, struct file *file, int what, int grows, int *half) {
    char path[PATH_MAX];
    uint64_t now = ++disk->ops;
    if (disk->half) return disk->half = 0, ENOSPC;
    for (struct fault *fault = disk->faults; *fault->kind; fault++) {
        int lasts = is(fault, "dead") || is(fault, "brim");
        if (is(fault, "watch")) {
            photographs(disk, now, fault->at);
            continue;
        }
        if (fault > disk->faults && !fault[-1].came) break;
        int syncs = is(fault, "forget") || is(fault, "revert");
        if (syncs && (what != SYNC || file->folder)) continue;
        uint64_t counted = ++fault->counted;
        if (counted < fault->at || (counted > fault->at && !lasts) || (is(fault, "brim") && !grows)) continue;
        if (!access(place(path, disk, ".mended", ""), F_OK)) continue;
        hit(disk, fault);
        if (is(fault, "power")) photograph(disk, ".left", fault->seed), _exit(99);
        if (is(fault, "short") && what == WRITE) return *half = disk->half = 1, 0;
        if (syncs) forget(file, 0);
        if (is(fault, "revert")) revert(disk, file);
        return is(fault, "full") || is(fault, "brim") || is(fault, "short") ? ENOSPC : EIO;
    }
    return 0;
}

#define REFUSED(why) (pthread_mutex_unlock(&lock), errno = (why), -1)
#define DONE(result) do { int why = errno; pthread_mutex_unlock(&lock); errno = why; return result; } while (0)

/* ---- what stands in for the C library ---- */

static int opened(const char *path, int flags, mode_t mode) {
    const char *rest;
    pthread_mutex_lock(&lock);
    struct disk *disk = disk_of(path, &rest);
    if (!disk) DONE(real_open(path, flags, mode));
    if (!strncmp(rest, "photo", 5)) {
        photographs(disk, disk->ops, atoi(rest + 5));
        return REFUSED(ENOENT);
    }
    struct stat found;
    int there = stat(path, &found) == 0;
    struct entry *entry = entry_of(disk, rest);
    if (there) meet(entry, path, &found);
    else if (flags & O_CREAT) {
        int why = strike(disk, NULL, MAKE, 1, NULL);
        if (why) return REFUSED(why);
    }
    int fd = real_open(path, flags, mode);
    if (fd < 0 || fd >= FDS) DONE(fd);
    if (!there) make(entry, 0);
    else if (flags & O_TRUNC && found.st_size) pend(disk, entry->now, 0, 0, NULL);
    fds[fd].disk = disk, fds[fd].file = entry->now, fds[fd].entry = entry, disk->open++;
    DONE(fd);
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        return opened(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    pthread_mutex_lock(&lock);
    if (fd >= 0 && fd < FDS && fds[fd].disk) fds[fd].disk->open--, fds[fd].disk = NULL;
    DONE(real_close(fd));
}

#define WATCHED(fd) ((fd) >= 0 && (fd) < FDS && fds[fd].disk)

static ssize_t written(int fd, const void *data, size_t size, off_t at) {
    struct stat found;
    pthread_mutex_lock(&lock);
    if (!WATCHED(fd)) DONE(at < 0 ? real_write(fd, data, size) : real_pwrite(fd, data, size, at));
    struct disk *disk = fds[fd].disk;
    int half = 0, seeks = at < 0;
    fstat(fd, &found);
    if (seeks) at = fcntl(fd, F_GETFL) & O_APPEND ? found.st_size : lseek(fd, 0, SEEK_CUR);
    int why = strike(disk, fds[fd].file, WRITE, at + (off_t)size > found.st_size, &half);
    if (why) return REFUSED(why);
    ssize_t wrote = real_pwrite(fd, data, half ? (size + 1) / 2 : size, at);
    if (wrote > 0) pend(disk, fds[fd].file, at, wrote, data);
    if (wrote > 0 && seeks) lseek(fd, at + wrote, SEEK_SET);
    DONE(wrote);
}

ssize_t write(int fd, const void *data, size_t size) { return written(fd, data, size, -1); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return written(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) { return written(fd, data, size, at); }

int ftruncate(int fd, off_t size) {
    struct stat found;
    pthread_mutex_lock(&lock);
    if (!WATCHED(fd)) DONE(real_ftruncate(fd, size));
    int why = strike(fds[fd].disk, fds[fd].file, MAKE, fstat(fd, &found) == 0 && size > found.st_size, NULL);
    if (why) return REFUSED(why);
    int done = real_ftruncate(fd, size);
    if (!done) pend(fds[fd].disk, fds[fd].file, 0, size, NULL);
    DONE(done);
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

int fsync(int fd) {
    pthread_mutex_lock(&lock);
    if (!WATCHED(fd)) DONE(0); /* What is tested here is not the real disk. */
    struct disk *disk = fds[fd].disk;
    struct file *file = fds[fd].file;
    int why = strike(disk, file, SYNC, 0, NULL);
    if (why) return REFUSED(why);
    if (file->folder) hold_names(disk, fds[fd].entry->name);
    else forget(file, 1);
    DONE(0);
}
int fdatasync(int fd) { return fsync(fd); }

int unlink(const char *path) {
    const char *rest;
    pthread_mutex_lock(&lock);
    struct disk *disk = disk_of(path, &rest);
    struct stat found;
    if (!disk || stat(path, &found)) DONE(real_unlink(path));
    struct entry *entry = entry_of(disk, rest);
    meet(entry, path, &found);
    int why = strike(disk, NULL, REMOVE, 0, NULL);
    if (why) return REFUSED(why);
    int done = real_unlink(path);
    if (!done) entry->now = NULL;
    DONE(done);
}

int mkdir(const char *path, mode_t mode) {
    const char *rest;
    pthread_mutex_lock(&lock);
    struct disk *disk = disk_of(path, &rest);
    struct stat found;
    if (!disk || !*rest || !stat(path, &found)) DONE(real_mkdir(path, mode));
    int why = strike(disk, NULL, MAKE, 1, NULL);
    if (why) return REFUSED(why);
    int done = real_mkdir(path, mode);
    if (!done) make(entry_of(disk, rest), 1);
    DONE(done);
}
