/* A session of the C client (Debian's libzookeeper_mt), synchronous and asynchronous; prints what the
 * server let it see. What must differ from run to run is not printed, or relative to the first.
 *
 *   cc -DTHREADED -o session session.c -lzookeeper_mt && ./session 127.0.0.1:2181
 *
 * "@server stop|start" lines ask the harness for that; it answers "ok" on standard input. */

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>
#include <arpa/inet.h>
#include <sys/socket.h>

static const char *hosts;
static int64_t base_zxid;

/* Events come on the client's completion thread: they are kept, and printed when all expected ones came. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char events[100][200];
static int event_count;

static void say(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static void wait_for(int *value, int wanted) {
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 60;
    pthread_mutex_lock(&lock);
    while (*value < wanted && pthread_cond_timedwait(&changed, &lock, &deadline) == 0) {
    }
    pthread_mutex_unlock(&lock);
}

static void remember(const char *who, int type, int state, const char *path) {
    pthread_mutex_lock(&lock);
    if (event_count < 100)
        snprintf(events[event_count++], sizeof events[0], "%s type=%d state=%d path=%s", who, type, state, path ? path : "");
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static int by_text(const void *a, const void *b) { return strcmp(a, b); }

static void tell_events(const char *name, int count) {
    wait_for(&event_count, count);
    usleep(50000); /* One too many would show as well. */
    pthread_mutex_lock(&lock);
    /* A client's own hash tables decide the order of several watchers of one event. */
    qsort(events, event_count, sizeof events[0], by_text);
    say("%s: %d events", name, event_count);
    for (int i = 0; i < event_count; i++) say("  %s", events[i]);
    event_count = 0;
    pthread_mutex_unlock(&lock);
}

static int connected; /* Counts connections; SESSION_EVENTs are not remembered as events. */
static int expired;

static void on_session(zhandle_t *zh, int type, int state, const char *path, void *context) {
    if (type != ZOO_SESSION_EVENT) {
        remember("default", type, state, path);
        return;
    }
    pthread_mutex_lock(&lock);
    if (state == ZOO_CONNECTED_STATE) connected++;
    if (state == ZOO_EXPIRED_SESSION_STATE) expired++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void on_event(zhandle_t *zh, int type, int state, const char *path, void *context) {
    if (type != ZOO_SESSION_EVENT) remember(context, type, state, path);
}

static zhandle_t *open_session(const char *where, int timeout, const clientid_t *id) {
    int before = connected;
    zhandle_t *zh = zookeeper_init(where, on_session, timeout, id, NULL, 0);
    wait_for(&connected, before + 1);
    return zh;
}

static void show_stat(const char *name, int rc, const struct Stat *stat) {
    if (rc != ZOK) {
        say("%s -> %s", name, zerror(rc));
        return;
    }
    say("%s -> ok czxid=%ld mzxid=%ld pzxid=%ld version=%d cversion=%d aversion=%d ephemeral=%d length=%d children=%d",
        name, (long)(stat->czxid - base_zxid), (long)(stat->mzxid - base_zxid), (long)(stat->pzxid - base_zxid),
        stat->version, stat->cversion, stat->aversion, stat->ephemeralOwner != 0, stat->dataLength, stat->numChildren);
}

static void create(zhandle_t *zh, const char *path, const char *data, int flags) {
    char made[512] = "";
    int rc = zoo_create(zh, path, data, data ? (int)strlen(data) : -1, &ZOO_OPEN_ACL_UNSAFE, flags, made, sizeof made);
    say("create %s flags %d -> %s %s", path, flags, zerror(rc), made);
}

static void create2(zhandle_t *zh, const char *path, const char *data, int flags, const struct ACL_vector *acl) {
    char made[512] = "", name[600];
    struct Stat stat;
    int rc = zoo_create2(zh, path, data, (int)strlen(data), acl, flags, made, sizeof made, &stat);
    snprintf(name, sizeof name, "create2 %s flags %d %s", path, flags, made);
    show_stat(name, rc, &stat);
}

static void create_ttl(zhandle_t *zh, const char *path, int flags, int64_t ttl) {
    char made[512] = "", name[600];
    struct Stat stat;
    int rc = zoo_create2_ttl(zh, path, "ttl", 3, &ZOO_OPEN_ACL_UNSAFE, flags, ttl, made, sizeof made, &stat);
    snprintf(name, sizeof name, "create2_ttl %s flags %d ttl %ld %s", path, flags, (long)ttl, made);
    show_stat(name, rc, &stat);
    if (rc == ZOK) say("  owner %lx", (long)stat.ephemeralOwner);
}

static void get(zhandle_t *zh, const char *path) {
    char data[1024], name[1200];
    int length = sizeof data;
    struct Stat stat;
    int rc = zoo_get(zh, path, 0, data, &length, &stat);
    snprintf(name, sizeof name, "get %s %d '%.*s'", path, rc == ZOK ? length : 0, rc == ZOK && length > 0 ? length : 0, data);
    show_stat(name, rc, &stat);
}

static void set(zhandle_t *zh, const char *path, const char *data, int version) {
    char name[600];
    struct Stat stat;
    int rc = zoo_set2(zh, path, data, data ? (int)strlen(data) : -1, version, &stat);
    snprintf(name, sizeof name, "set %s version %d", path, version);
    show_stat(name, rc, &stat);
}

static void delete(zhandle_t *zh, const char *path, int version) {
    say("delete %s version %d -> %s", path, version, zerror(zoo_delete(zh, path, version)));
}

static void exists(zhandle_t *zh, const char *path) {
    char name[600];
    struct Stat stat;
    int rc = zoo_exists(zh, path, 0, &stat);
    snprintf(name, sizeof name, "exists %s", path);
    show_stat(name, rc, &stat);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void show_strings(const char *name, int rc, struct String_vector *strings) {
    say("%s -> %s", name, zerror(rc));
    if (rc != ZOK) return;
    qsort(strings->data, strings->count, sizeof(char *), by_name);
    for (int i = 0; i < strings->count; i++) say("  %s", strings->data[i]);
}

static void children(zhandle_t *zh, const char *path) {
    char name[600];
    struct String_vector strings = {0, NULL};
    struct Stat stat;
    int rc = zoo_get_children2(zh, path, 0, &strings, &stat);
    snprintf(name, sizeof name, "children %s", path);
    show_strings(name, rc, &strings);
    if (rc == ZOK) {
        show_stat("  stat", rc, &stat);
        deallocate_String_vector(&strings);
    }
}

static void get_acl(zhandle_t *zh, const char *path) {
    struct ACL_vector acl = {0, NULL};
    struct Stat stat;
    int rc = zoo_get_acl(zh, path, &acl, &stat);
    say("get_acl %s -> %s", path, zerror(rc));
    if (rc != ZOK) return;
    for (int i = 0; i < acl.count; i++) say("  %s:%s:%d", acl.data[i].id.scheme, acl.data[i].id.id, acl.data[i].perms);
    deallocate_ACL_vector(&acl);
}

static void set_acl(zhandle_t *zh, const char *path, int version, char *scheme, char *id, int perms) {
    struct ACL one = {perms, {scheme, id}};
    struct ACL_vector acl = {1, &one};
    say("set_acl %s %s:%s:%d -> %s", path, scheme, id, perms, zerror(zoo_set_acl(zh, path, version, &acl)));
}

static int auth_done, auth_result;

static void on_auth(int rc, const void *data) {
    pthread_mutex_lock(&lock);
    auth_result = rc;
    auth_done++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void add_auth(zhandle_t *zh, const char *scheme, const char *cert) {
    int before = auth_done;
    int rc = zoo_add_auth(zh, scheme, cert, (int)strlen(cert), on_auth, NULL);
    wait_for(&auth_done, before + 1);
    say("add_auth %s %s -> %s, then %s", scheme, cert, zerror(rc), zerror(auth_result));
}

static void server(const char *order) {
    char line[16];
    say("@server %s", order);
    if (fgets(line, sizeof line, stdin) == NULL) exit(1);
}

static void basics(zhandle_t *zh) {
    static char large[1000000], back[1000000];
    struct Stat stat;
    int length = sizeof back, rc;
    say("\n## basics");
    say("state connected %d, timeout %d, session %d", zoo_state(zh) == ZOO_CONNECTED_STATE, zoo_recv_timeout(zh), zoo_client_id(zh)->client_id != 0);
    create(zh, "/a", "one", 0);
    if (zoo_exists(zh, "/a", 0, &stat) == ZOK) base_zxid = stat.czxid;
    create(zh, "/a", "one", 0);
    create(zh, "/no/where", "", 0);
    create(zh, "/null", NULL, 0);
    get(zh, "/null");
    create(zh, "/empty", "", 0);
    get(zh, "/empty");
    create(zh, "/a/seq-", "", ZOO_SEQUENCE);
    create(zh, "/a/seq-", "", ZOO_SEQUENCE);
    create(zh, "/a/", "", ZOO_SEQUENCE);
    create(zh, "/a/eph", "e", ZOO_EPHEMERAL);
    create(zh, "/a/es-", "e", ZOO_EPHEMERAL | ZOO_SEQUENCE);
    create(zh, "/a/container", "c", ZOO_CONTAINER);
    create(zh, "/a/flags-99", "c", 99);
    create(zh, "/a/eph/child", "", 0);
    create2(zh, "/a/two", "2", 0, &ZOO_OPEN_ACL_UNSAFE);
    create2(zh, "/a/two-", "2", ZOO_EPHEMERAL_SEQUENTIAL, &ZOO_OPEN_ACL_UNSAFE);
    create2(zh, "/a/two-c", "2", ZOO_CONTAINER, &ZOO_OPEN_ACL_UNSAFE);
    create2(zh, "/a/two", "2", 0, &ZOO_OPEN_ACL_UNSAFE);
    create_ttl(zh, "/a/ttl", ZOO_PERSISTENT_WITH_TTL, 600000);
    create_ttl(zh, "/a/ttl-", ZOO_PERSISTENT_SEQUENTIAL_WITH_TTL, 1);
    create_ttl(zh, "/a/ttl-max", ZOO_PERSISTENT_WITH_TTL, 1099511627775L);
    create_ttl(zh, "/a/ttl-over", ZOO_PERSISTENT_WITH_TTL, 1099511627776L);
    create_ttl(zh, "/a/ttl-0", ZOO_PERSISTENT_WITH_TTL, 0);
    create_ttl(zh, "/a/ttl-neg", ZOO_PERSISTENT_WITH_TTL, -2);
    create(zh, "/a/ttl/child", "x", 0);
    create(zh, "/a/b c", "space", 0);
    create(zh, "/a/\xc3\xbc\xe6\x97\xa5\xd0\xb6", "unicode", 0);
    get(zh, "/a/\xc3\xbc\xe6\x97\xa5\xd0\xb6");
    create(zh, "/a/\xf0\x9f\xa6\x93", "supplementary", 0);
    create(zh, "/a/\x01", "", 0);
    create(zh, "relative", "", 0);
    create(zh, "/a//b", "", 0);
    create(zh, "/a/../b", "", 0);
    create(zh, "/a/", "", 0);
    children(zh, "/a");
    children(zh, "/");
    children(zh, "/missing");
    get(zh, "/a");
    get(zh, "/missing");
    set(zh, "/a", "two", -1);
    set(zh, "/a", "three", 1);
    set(zh, "/a", "four", 1);
    set(zh, "/a", NULL, -1);
    get(zh, "/a");
    set(zh, "/missing", "", -1);
    exists(zh, "/a");
    exists(zh, "/a/eph");
    exists(zh, "/missing");
    delete(zh, "/a", -1);
    delete(zh, "/missing", -1);
    delete(zh, "/a/two", 3);
    delete(zh, "/a/two", 0);
    delete(zh, "/", -1);
    delete(zh, "/zookeeper/quota", -1);
    memset(large, 'x', sizeof large);
    rc = zoo_create(zh, "/large", large, sizeof large, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0);
    say("create 1000000 bytes -> %s", zerror(rc));
    rc = zoo_get(zh, "/large", 0, back, &length, &stat);
    say("get -> %s %d %d", zerror(rc), length, memcmp(large, back, sizeof large));
    length = 0;
    say("getconfig -> %s", zerror(zoo_getconfig(zh, 0, back, &length, &stat)));
    length = 100;
    say("reconfig -> %s", zerror(zoo_reconfig(zh, "server.2=localhost:1:2;3", NULL, NULL, -1, back, &length, &stat)));
}

static void acls(zhandle_t *zh) {
    zhandle_t *bob;
    struct ACL bad = {31, {"nosuch", "x"}};
    struct ACL_vector bad_acl = {1, &bad}, no_acl = {0, NULL};
    say("\n## acls");
    get_acl(zh, "/a");
    create2(zh, "/read-only", "r", 0, &ZOO_READ_ACL_UNSAFE);
    get_acl(zh, "/read-only");
    set(zh, "/read-only", "x", -1);
    create(zh, "/read-only/child", "", 0);
    create2(zh, "/creator", "r", 0, &ZOO_CREATOR_ALL_ACL);
    create2(zh, "/bad", "r", 0, &bad_acl);
    create2(zh, "/none", "r", 0, &no_acl);
    add_auth(zh, "digest", "bob:bobspassword");
    create2(zh, "/creator", "r", 0, &ZOO_CREATOR_ALL_ACL);
    get_acl(zh, "/creator");
    bob = open_session(hosts, 10000, NULL);
    get(bob, "/creator");
    set(bob, "/creator", "x", -1);
    get_acl(bob, "/creator");
    children(bob, "/creator");
    set_acl(bob, "/creator", -1, "world", "anyone", 31);
    exists(bob, "/creator");
    add_auth(bob, "digest", "bob:bobspassword");
    get(bob, "/creator");
    set_acl(bob, "/creator", 7, "world", "anyone", 1);
    set_acl(bob, "/creator", 0, "world", "anyone", 1);
    get_acl(bob, "/creator");
    set_acl(bob, "/missing", -1, "world", "anyone", 31);
    set_acl(bob, "/a", -1, "world", "nobody", 31);
    set_acl(bob, "/a", -1, "ip", "127.0.0.1/8", 31);
    get(bob, "/a");
    set_acl(bob, "/a", -1, "ip", "10.0.0.1", 31);
    get(bob, "/a");
    add_auth(bob, "digest", "super:admin");
    get(bob, "/a");
    set_acl(bob, "/a", -1, "world", "anyone", 31);
    zookeeper_close(bob);
    bob = open_session(hosts, 10000, NULL);
    add_auth(bob, "nosuch", "x");
    say("then %s, state %d", zerror(zoo_delete(bob, "/empty", -1)), zoo_state(bob));
    zookeeper_close(bob);
}

static void multi(zhandle_t *zh) {
    char path[3][100];
    struct Stat stat;
    zoo_op_t ops[5];
    zoo_op_result_t results[5];
    int rc;
    say("\n## multi");
    memset(path, 0, sizeof path);
    zoo_create_op_init(&ops[0], "/m", "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, path[0], 100);
    zoo_create_op_init(&ops[1], "/m/s-", "2", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE, path[1], 100);
    zoo_set_op_init(&ops[2], "/m", "22", 2, 0, &stat);
    zoo_check_op_init(&ops[3], "/m", 1);
    zoo_delete_op_init(&ops[4], "/m/s-0000000000", -1);
    rc = zoo_multi(zh, 5, ops, results);
    say("all well -> %s %s %s", zerror(rc), path[0], path[1]);
    for (int i = 0; i < 5; i++) say("  %s", zerror(results[i].err));
    show_stat("  stat", ZOK, &stat);
    get(zh, "/m");
    zoo_create_op_init(&ops[0], "/m/new", "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, path[0], 100);
    zoo_check_op_init(&ops[1], "/m", 99);
    zoo_create_op_init(&ops[2], "/m/other", "2", 1, &ZOO_OPEN_ACL_UNSAFE, 0, path[1], 100);
    rc = zoo_multi(zh, 3, ops, results);
    say("failing check -> %s", zerror(rc));
    for (int i = 0; i < 3; i++) say("  %s", zerror(results[i].err));
    zoo_create_op_init(&ops[0], "/m", "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, path[0], 100);
    zoo_delete_op_init(&ops[1], "/nowhere", -1);
    rc = zoo_multi(zh, 2, ops, results);
    say("existing -> %s", zerror(rc));
    for (int i = 0; i < 2; i++) say("  %s", zerror(results[i].err));
    zoo_delete_op_init(&ops[0], "/a/eph", -1);
    zoo_delete_op_init(&ops[1], "/a", -1);
    rc = zoo_multi(zh, 2, ops, results);
    say("not empty -> %s", zerror(rc));
    for (int i = 0; i < 2; i++) say("  %s", zerror(results[i].err));
    rc = zoo_multi(zh, 0, ops, results);
    say("empty -> %s", zerror(rc));
    exists(zh, "/m");
    exists(zh, "/m/new");
}

static void watches(zhandle_t *zh) {
    char data[10];
    int length = sizeof data;
    struct Stat stat;
    struct String_vector strings = {0, NULL};
    zhandle_t *other = open_session(hosts, 10000, NULL);
    say("\n## watches");
    create(zh, "/w", "", 0);
    say("wget -> %s", zerror(zoo_wget(zh, "/w", on_event, "data", data, &length, &stat)));
    set(other, "/w", "1", -1);
    set(other, "/w", "2", -1);
    tell_events("data watch fires once", 1);
    say("wexists -> %s", zerror(zoo_wexists(zh, "/w/later", on_event, "exists", &stat)));
    create(other, "/w/later", "", 0);
    tell_events("exists watch of a missing node", 1);
    say("wget_children -> %s", zerror(zoo_wget_children2(zh, "/w", on_event, "children", &strings, &stat)));
    deallocate_String_vector(&strings);
    say("wexists -> %s", zerror(zoo_wexists(zh, "/w/later", on_event, "exists", &stat)));
    length = sizeof data;
    say("wget -> %s", zerror(zoo_wget(zh, "/w/later", on_event, "data", data, &length, &stat)));
    delete(other, "/w/later", -1);
    tell_events("delete", 3);
    length = sizeof data;
    say("get of a missing node with a watch -> %s", zerror(zoo_wget(zh, "/w/gone", on_event, "data", data, &length, &stat)));
    create(other, "/w/gone", "", 0);
    tell_events("none", 0);
    say("default watcher -> %s", zerror(zoo_exists(zh, "/w", 1, &stat)));
    set(other, "/w", "3", -1);
    tell_events("default watcher", 1);
    say("wexists -> %s", zerror(zoo_wexists(zh, "/w", on_event, "removed", &stat)));
    say("remove_watches -> %s", zerror(zoo_remove_watches(zh, "/w", ZWATCHTYPE_DATA, on_event, "removed", 0)));
    say("again -> %s", zerror(zoo_remove_watches(zh, "/w", ZWATCHTYPE_DATA, on_event, "removed", 0)));
    set(other, "/w", "4", -1);
    tell_events("removed watch", 0);
    say("wget_children -> %s", zerror(zoo_wget_children(zh, "/w", on_event, "children", &strings)));
    deallocate_String_vector(&strings);
    say("remove_all -> %s", zerror(zoo_remove_all_watches(zh, "/w", ZWATCHTYPE_ANY, 0)));
    tell_events("remove all", 0);
    say("wexists -> %s", zerror(zoo_wexists(zh, "/w/eph", on_event, "ephemeral", &stat)));
    create(other, "/w/eph", "", ZOO_EPHEMERAL);
    tell_events("ephemeral came", 1);
    say("wexists -> %s", zerror(zoo_wexists(zh, "/w/eph", on_event, "ephemeral", &stat)));
    zookeeper_close(other);
    tell_events("ephemeral went with its session", 1);
}

/* Asynchronous calls: 1000 of each kind in flight, completed in the order they were sent. */
static int completed, out_of_order, failed, last_index;

static void complete(int rc, const void *data) {
    int index = (int)(long)data;
    pthread_mutex_lock(&lock);
    if (index != last_index + 1) out_of_order++;
    last_index = index;
    if (rc != ZOK) failed++;
    completed++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void on_string(int rc, const char *value, const void *data) { complete(rc, data); }
static void on_data(int rc, const char *value, int length, const struct Stat *stat, const void *data) { complete(rc, data); }
static void on_stat(int rc, const struct Stat *stat, const void *data) { complete(rc, data); }
static void on_void(int rc, const void *data) { complete(rc, data); }
static void on_strings(int rc, const struct String_vector *strings, const struct Stat *stat, const void *data) { complete(rc, data); }
static void on_acl(int rc, struct ACL_vector *acl, struct Stat *stat, const void *data) { complete(rc, data); }

static void begin(void) { completed = out_of_order = failed = last_index = 0; }

static void end(const char *name, int count) {
    wait_for(&completed, count);
    say("%s: completed %d failed %d out of order %d", name, completed, failed, out_of_order);
}

static void asynchronous(zhandle_t *zh) {
    char path[100];
    int index = 0;
    say("\n## asynchronous");
    create(zh, "/async", "", 0);
    begin();
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof path, "/async/n%d", i);
        zoo_acreate(zh, path, "x", 1, &ZOO_OPEN_ACL_UNSAFE, 0, on_string, (void *)(long)(i + 1));
    }
    end("acreate", 1000);
    begin();
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof path, "/async/n%d", i);
        zoo_aset(zh, path, "yy", 2, -1, on_stat, (void *)(long)++index);
        zoo_aget(zh, path, 0, on_data, (void *)(long)++index);
        zoo_aexists(zh, path, 0, on_stat, (void *)(long)++index);
        zoo_aget_children2(zh, path, 0, on_strings, (void *)(long)++index);
        zoo_aget_acl(zh, path, on_acl, (void *)(long)++index);
        zoo_async(zh, path, on_string, (void *)(long)++index);
        zoo_aset_acl(zh, path, -1, &ZOO_OPEN_ACL_UNSAFE, (void_completion_t)on_void, (void *)(long)++index);
        zoo_aget(zh, "/async/missing", 0, on_data, (void *)(long)++index);
    }
    end("mixed, one in eight fails", index);
    begin();
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof path, "/async/n%d", i);
        zoo_adelete(zh, path, -1, on_void, (void *)(long)(i + 1));
    }
    end("adelete", 1000);
    exists(zh, "/async");
}

/* Closes a session from plain sockets, attach and close in one go. Its owner reconnects at once and may come
 * between: tried until the server refuses the session, with a negotiated timeout of 0. */
static void close_elsewhere(const clientid_t *id) {
    unsigned char frame[61] = {0, 0, 0, 45}, answer[64];
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[64] = "";
    strncpy(host, hosts, sizeof host - 1);
    *strchr(host, ':') = 0;
    address.sin_port = htons(atoi(strchr(hosts, ':') + 1));
    inet_pton(AF_INET, host, &address.sin_addr);
    frame[18] = 0x27, frame[19] = 0x10; /* timeout 10000 */
    for (int i = 0; i < 8; i++) frame[20 + i] = id->client_id >> (56 - 8 * i);
    frame[31] = 16;
    memcpy(frame + 32, id->passwd, 16);
    /* The connect request is 4 + 45 bytes, 0 to 48; then a frame of 8 bytes: xid 1, type -11. */
    frame[52] = 8, frame[56] = 1;
    memset(frame + 57, 0xff, 3), frame[60] = 0xf5;
    for (int is_refused = 0; !is_refused;) {
        int fd = socket(AF_INET, SOCK_STREAM, 0), got = 0;
        ssize_t count;
        if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 || write(fd, frame, 61) != 61) exit(1);
        while (got < (int)sizeof answer && (count = read(fd, answer + got, sizeof answer - got)) > 0) got += count;
        is_refused = got >= 12 && (answer[8] | answer[9] | answer[10] | answer[11]) == 0;
        close(fd);
    }
}

static void sessions(zhandle_t *zh) {
    char chroot[100];
    zhandle_t *rooted, *again;
    clientid_t id;
    struct Stat stat;
    struct String_vector strings = {0, NULL};
    int before, length;
    char data[10];
    say("\n## chroot");
    create(zh, "/chroot", "", 0);
    snprintf(chroot, sizeof chroot, "%s/chroot", hosts);
    rooted = open_session(chroot, 10000, NULL);
    create(rooted, "/x", "", 0);
    create(rooted, "/s-", "", ZOO_SEQUENCE);
    say("wget_children -> %s", zerror(zoo_wget_children(rooted, "/", on_event, "rooted", &strings)));
    deallocate_String_vector(&strings);
    create(zh, "/chroot/y", "", 0);
    tell_events("event of a chroot", 1);
    children(rooted, "/");
    zookeeper_close(rooted);

    say("\n## a session is taken up by its id and password");
    create(zh, "/kept", "", ZOO_EPHEMERAL);
    id = *zoo_client_id(zh);
    say("wexists -> %s", zerror(zoo_wexists(zh, "/later", on_event, "exists", &stat)));
    length = sizeof data;
    say("wget -> %s", zerror(zoo_wget(zh, "/w", on_event, "data", data, &length, &stat)));
    say("wget_children -> %s", zerror(zoo_wget_children(zh, "/w", on_event, "children", &strings)));
    deallocate_String_vector(&strings);
    before = connected;
    server("stop");
    server("start");
    wait_for(&connected, before + 1);
    say("same session %d", id.client_id == zoo_client_id(zh)->client_id);
    exists(zh, "/kept");
    again = open_session(hosts, 10000, NULL);
    create(again, "/later", "", 0);
    set(again, "/w", "after", -1);
    create(again, "/w/after", "", 0);
    tell_events("watches were set again", 3);
    before = connected;
    server("kill");
    create(again, "/while-down", "", 0);
    server("start");
    wait_for(&connected, before + 2);
    exists(zh, "/kept");
    create(zh, "/a/seq-", "", ZOO_SEQUENCE);
    close_elsewhere(zoo_client_id(zh));
    wait_for(&expired, 1);
    say("expired %d, state %d, then %s", expired, zoo_state(zh), zerror(zoo_exists(zh, "/a", 0, &stat)));
    /* A session is refused from its close on; its ephemerals go when that is on disk, before this write. */
    set(again, "/later", "x", -1);
    exists(again, "/kept");
    say("a closed session is gone: close -> %s", zerror(zookeeper_close(zh)));
    zh = zookeeper_init(hosts, on_session, 10000, &id, NULL, 0);
    wait_for(&expired, 2);
    say("attach again: expired %d, state %d", expired, zoo_state(zh));
    zookeeper_close(zh);
    zookeeper_close(again);
}

int main(int count, char **arguments) {
    zhandle_t *zh;
    if (count < 2) return 2;
    hosts = arguments[1];
    zoo_set_debug_level(0);
    zh = open_session(hosts, 10000, NULL);
    basics(zh);
    acls(zh);
    multi(zh);
    watches(zh);
    asynchronous(zh);
    sessions(zh);
    return 0;
}
