/* A client in C, from docs/protocol.md alone: connects to a service, calls a method once, and writes the reply to standard output.
 *
 *     cc -O2 -Wall -o c-client docs/examples/client.c
 *     ./c-client demo sha256 < LICENSE
 *
 * It makes one call at a time, in slot 0, and needs neither notices nor an allocator: a long request takes the beginning of the request arena.
 * Exit status: 0 with a reply, 1 without, 2 for wrong usage. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Section 3: the segment. */
enum {
    SLOTS = 256, INLINE = 224, DOORBELL = 1024, FIRST_SLOT = 4096, ARENA = FIRST_SLOT + SLOTS * 512, GAP = 1114112,
    STATE_CALL = 1, STATE_CANCELLED = 2, STATE_RELEASED = 3,
    REPLY_DONE = 1, REPLY_WAITING = 2,
    BELL_AWAKE = 0, BELL_SLEEPING = 1, BELL_PARKED = 3, BELL_POLLING = 65536,
};

struct header { uint64_t magic; uint32_t version, slots; int64_t requests, replies, max_payload; };
struct doorbell { _Atomic uint64_t ready; _Atomic uint32_t bell, used; };
struct request { _Atomic uint32_t word; uint32_t length; uint64_t method; int64_t deadline; uint64_t offset; char payload[INLINE]; };
struct reply { _Atomic uint32_t word; _Atomic uint32_t status, length; uint32_t unused; _Atomic uint64_t offset; uint64_t unused2; char payload[INLINE]; };

static const char MAGIC[8] = {'N', 'a', 'n', 'o', 'R', 'P', 'C', 1};

static char *segment;
static int memory, sock;
static int64_t requests, replies, max_payload; /* from the header, checked */
static uint32_t generation;                    /* of the last call in slot 0 */

static void die(const char *what, const char *why) {
    fprintf(stderr, "c-client: %s: %s\n", what, why);
    exit(1);
}

/* Section 1: where the sockets are. */
static void socket_path(char *path, size_t size, const char *service) {
    const char *dir = getenv("NANORPC_DIR"), *run = getenv("XDG_RUNTIME_DIR");
    char made[4096];
    if (dir && *dir)
        snprintf(made, sizeof made, "%s", dir);
    else if (run && *run)
        snprintf(made, sizeof made, "%s/nanorpc", run);
    else
        snprintf(made, sizeof made, "/tmp/nanorpc-%u", geteuid());
    struct stat s;
    if (lstat(made, &s) < 0) die(made, strerror(errno));
    if (!S_ISDIR(s.st_mode) || s.st_uid != geteuid() || s.st_mode & 022) die(made, "not a directory of ours alone");
    if ((size_t)snprintf(path, size, "%s/%s.sock", made, service) >= size) die(service, "the socket's path is too long");
}

/* Section 2: the handshake. */
static void handshake(const char *service) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socket_path(address.sun_path, sizeof address.sun_path, service);
    sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct timeval five_seconds = {.tv_sec = 5};
    setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &five_seconds, sizeof five_seconds);
    if (connect(sock, (struct sockaddr *)&address, sizeof address) < 0) die(service, strerror(errno));
    struct ucred peer;
    socklen_t peer_size = sizeof peer;
    if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) < 0 || peer.uid != geteuid()) die(service, "another user's server");

    char hello[16] = {0};
    memcpy(hello, MAGIC, 8);
    hello[8] = 1; /* version */
    if (send(sock, hello, sizeof hello, MSG_NOSIGNAL) != sizeof hello) die("hello", strerror(errno));

    struct { char magic[8]; uint32_t version, status; uint64_t size; char text[513]; } welcome = {0};
    union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
    struct iovec part = {&welcome, sizeof welcome - 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(sock, &message, MSG_CMSG_CLOEXEC);
    if (n < 0) die("welcome", strerror(errno));
    if (n < 16 || memcmp(welcome.magic, MAGIC, 8)) die("welcome", "the peer does not speak NanoRPC");
    if (welcome.status == 1 || welcome.version != 1) die("welcome", "protocol versions differ");
    if (welcome.status) die("refused", welcome.text);
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (n < 24 || !c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int))) die("welcome", "no descriptor came with it");
    memcpy(&memory, CMSG_DATA(c), sizeof memory);

    struct stat s;
    if (fstat(memory, &s) < 0 || (uint64_t)s.st_size < welcome.size || welcome.size < ARENA) die("segment", "too small");
    segment = mmap(NULL, welcome.size, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (segment == MAP_FAILED) die("map the segment", strerror(errno));
    struct header h = *(volatile struct header *)segment; /* loaded once, then checked */
    requests = h.requests, replies = h.replies, max_payload = h.max_payload;
    if (memcmp(&h.magic, MAGIC, 8) || h.version != 1 || h.slots != SLOTS) die("segment", "wrong header");
    if (requests <= 0 || requests > 1LL << 34 || replies <= 0 || replies > 1LL << 34 || (uint64_t)(ARENA + requests + GAP + replies) != welcome.size ||
        max_payload <= 0 || max_payload > requests || max_payload > replies)
        die("segment", "impossible sizes");
}

static uint64_t method_number(const char *name) {
    uint64_t h = 14695981039346656037u;
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 1099511628211u;
    return h;
}

static long futex(_Atomic uint32_t *word, int operation, uint32_t value, const struct timespec *timeout) {
    return syscall(SYS_futex, word, operation, value, timeout, NULL, FUTEX_BITSET_MATCH_ANY);
}

static struct request *request(void) { return (struct request *)(segment + FIRST_SLOT); }
static struct reply *reply(void) { return (struct reply *)(segment + FIRST_SLOT + 256); }

/* Section 4: steps 1 to 4 of the client. */
static void submit(uint64_t method, const char *payload, uint32_t length) {
    struct request *r = request();
    struct doorbell *d = (struct doorbell *)(segment + DOORBELL);
    r->offset = ARENA;
    if (length > INLINE) {
        if (fallocate(memory, 0, ARENA, length) < 0) die("shared memory", strerror(errno));
        memcpy(segment + ARENA, payload, length);
    } else {
        memcpy(r->payload, payload, length);
    }
    r->length = length;
    r->method = method;
    r->deadline = 0;
    generation = (generation + 1) & 0xffffff;
    atomic_store(&r->word, generation << 8 | STATE_CALL);
    if (atomic_load(&d->bell) == BELL_POLLING + 0) return;
    atomic_fetch_or(&d->ready, 1); /* group 0 */
    uint32_t bell = atomic_load(&d->bell);
    if ((bell == BELL_SLEEPING || bell == BELL_PARKED) && atomic_compare_exchange_strong(&d->bell, &bell, BELL_AWAKE)) {
        if (bell == BELL_SLEEPING)
            futex(&d->bell, FUTEX_WAKE, 1, NULL);
        else
            send(sock, "\1", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

/* Step 5. Spins a little, then sleeps, and looks now and then whether the server lives. */
static void await(void) {
    _Atomic uint32_t *word = &reply()->word;
    for (long spins = 0;; spins++) {
        uint32_t seen = atomic_load(word);
        if (seen & REPLY_DONE && seen >> 8 == generation) return;
        if (spins < 2000) continue;
        struct pollfd end = {.fd = sock, .events = POLLIN};
        if (poll(&end, 1, 0) > 0) {
            seen = atomic_load(word);
            if (seen & REPLY_DONE && seen >> 8 == generation) return;
            die("server", "has gone");
        }
        uint32_t announced = seen | REPLY_WAITING;
        if (announced != seen && !atomic_compare_exchange_strong(word, &seen, announced)) continue;
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now); /* FUTEX_WAIT_BITSET takes an absolute time */
        now.tv_nsec += 100000000;
        if (now.tv_nsec >= 1000000000) now.tv_sec++, now.tv_nsec -= 1000000000;
        futex(word, FUTEX_WAIT_BITSET, announced, &now);
    }
}

/* Steps 6 and 7. Returns the status. */
static uint32_t finish(const char **payload, uint32_t *length) {
    struct reply *r = reply();
    uint32_t status = atomic_load(&r->status);
    uint64_t offset = atomic_load(&r->offset);
    *length = atomic_load(&r->length);
    uint64_t start = ARENA + requests + GAP;
    if (*length <= INLINE)
        *payload = r->payload;
    else if (*length <= (uint64_t)max_payload && offset >= start && offset - start <= (uint64_t)replies && *length <= replies - (offset - start))
        *payload = segment + offset;
    else
        die("reply", "outside of its arena");
    return status;
}

static void release(uint32_t length) {
    if (length > INLINE) atomic_store(&request()->word, generation << 8 | STATE_RELEASED);
}

int main(int argc, char **argv) {
    static const char *const failures[] = {"", "the method failed", "no such method", "the reply is too large", "cancelled", "too late",
                                           "no room for the reply", "the server is shutting down"};
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: %s SERVICE METHOD [REPEAT] < REQUEST > REPLY\n", argv[0]);
        return 2;
    }
    long repeat = argc == 4 ? atol(argv[3]) : 1;
    size_t length = 0, room = 1 << 16;
    char *payload = malloc(room);
    for (size_t n; (n = fread(payload + length, 1, room - length, stdin)) > 0;) {
        length += n;
        if (length == room && !(payload = realloc(payload, room *= 2))) die("read", "no memory");
    }
    handshake(argv[1]);
    if (length > (size_t)max_payload) die("request", "too large");

    const char *answer = NULL;
    uint32_t answer_length = 0, status = 0;
    for (long i = 0; i < repeat; i++) {
        if (i > 0) release(answer_length);
        submit(method_number(argv[2]), payload, length);
        await();
        status = finish(&answer, &answer_length);
    }
    if (status == 0) {
        fwrite(answer, 1, answer_length, stdout);
        release(answer_length);
        return fflush(stdout) ? 1 : 0;
    }
    fprintf(stderr, "c-client: %s: %.*s\n", status < 8 ? failures[status] : "unknown status", (int)answer_length, answer);
    return 1;
}
