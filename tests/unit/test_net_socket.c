/* Addresses and plain sockets.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/socket.h"
#include "tidewire/errors.h"

enum { WAIT_MS = 10000 };

static void addresses_are_read_and_written_back(void **state) {
    (void)state;
    static const struct {
        const char *text, *formatted, *ip;
    } cases[] = {
        {"127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1"},
        {"10.255.0.1:65535", "10.255.0.1:65535", "10.255.0.1"},
        {"0.0.0.0:0", "0.0.0.0:0", "0.0.0.0"},
        {":8080", "0.0.0.0:8080", "0.0.0.0"},
        {"8080", "127.0.0.1:8080", "127.0.0.1"},
        {"00080", "127.0.0.1:80", "127.0.0.1"},
        {"[::1]:8080", "[::1]:8080", "::1"},
        {"[::]:1", "[::]:1", "::"},
        {"[2001:DB8:0:0::1]:443", "[2001:db8::1]:443", "2001:db8::1"},
        {"[::ffff:192.0.2.7]:9", "[::ffff:192.0.2.7]:9", "192.0.2.7"},
        {"[1111:2222:3333:4444:5555:6666:192.168.111.222]:65535",
         "[1111:2222:3333:4444:5555:6666:c0a8:6fde]:65535",
         "1111:2222:3333:4444:5555:6666:c0a8:6fde"},
        {"unix:/run/a.sock", "unix:/run/a.sock", "unix:/run/a.sock"},
        {"unix:a:80", "unix:a:80", "unix:a:80"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tw__address address;
        char out[TW__ADDRESS_TEXT];
        assert_int_equal(tw__address_parse(&address, cases[i].text), 0);
        tw__address_format(&address, out);
        assert_string_equal(out, cases[i].formatted);
        tw__address_format_ip(&address, out);
        assert_string_equal(out, cases[i].ip);
    }
}

static void malformed_addresses_are_refused_and_change_nothing(void **state) {
    (void)state;
    static const char *const cases[] = {
        "",
        ":",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:99999999999999999999",
        "127.0.0.1:-1",
        "127.0.0.1:+80",
        "127.0.0.1: 80",
        "127.0.0.1:80 ",
        " 127.0.0.1:80",
        "127.0.0.1:80x",
        "127.0.0.1:0x50",
        "127.1:80",
        "127.0.0.256:80",
        "127.0.0.1.1:80",
        "localhost:80",
        "*:80",
        "::1:80",
        "[::1]",
        "[::1]80",
        "[::1]:",
        "[::1:80",
        "::1]:80",
        "[]:80",
        "[:80",
        "]:80",
        "[127.0.0.1]:80",
        "[::1%lo]:80",
        "[1111:2222:3333:4444:5555:6666:7777:8888:9999]:80",
        "[1111:2222:3333:4444:5555:6666:192.168.111.2222222222222222]:80",
        "unix:",
        "UNIX:/a",
        "http://127.0.0.1:80",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tw__address address, before;
        memset(&address, 0x5a, sizeof address);
        before = address;
        assert_int_equal(tw__address_parse(&address, cases[i]), TW_EINVALID);
        assert_memory_equal(&address, &before, sizeof address);
    }
}

static void a_unix_path_must_fit_with_its_end(void **state) {
    (void)state;
    char text[5 + 108 + 1] = "unix:", out[TW__ADDRESS_TEXT];
    tw__address address;
    memset(text + 5, 'p', 107);
    assert_int_equal(tw__address_parse(&address, text), 0);
    tw__address_format(&address, out);
    assert_string_equal(out, text);
    text[5 + 107] = 'p';
    assert_int_equal(tw__address_parse(&address, text), TW_EINVALID);
}

static int listen_on(const char *text, unsigned flags, int *fd,
                     tw__address *bound) {
    tw__address address;
    assert_int_equal(tw__address_parse(&address, text), 0);
    int err = tw__socket_listen(&address, 16, flags, fd);
    if (err == 0 && bound != NULL) {
        assert_int_equal(tw__socket_local(*fd, bound), 0);
    }
    return err;
}

static void wait_for(int fd, short events) {
    struct pollfd wait = {.fd = fd, .events = events};
    assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
}

static void assert_flags(int fd) {
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

/* Connects, accepts and exchanges a byte. */
static void assert_connects(int listener, const tw__address *to,
                            tw__address *peer) {
    int client;
    char byte;
    assert_int_equal(tw__socket_connect(to, &client), 0);
    assert_flags(client);
    wait_for(listener, POLLIN);
    int server = tw__socket_accept(listener, peer);
    assert_true(server >= 0);
    assert_flags(server);
    wait_for(client, POLLOUT);
    assert_int_equal(tw__socket_connect_result(client), 0);
    tw__socket_no_delay(client);
    assert_int_equal(write(client, "x", 1), 1);
    wait_for(server, POLLIN);
    assert_int_equal(read(server, &byte, 1), 1);
    close(client);
    close(server);
}

static void tcp_connects_and_tells_the_peer(void **state) {
    (void)state;
    int fd;
    tw__address bound, peer;
    char out[TW__ADDRESS_TEXT];
    assert_int_equal(listen_on("127.0.0.1:0", 0, &fd, &bound), 0);
    assert_flags(fd);
    tw__address_format(&bound, out);
    assert_string_not_equal(out, "127.0.0.1:0");
    assert_connects(fd, &bound, &peer);
    tw__address_format_ip(&peer, out);
    assert_string_equal(out, "127.0.0.1");
    assert_connects(fd, &bound, NULL);
    errno = 0;
    assert_int_equal(tw__socket_accept(fd, &peer), -1);
    assert_int_equal(errno, EAGAIN);
    close(fd);
}

static void all_addresses_of_ipv6_include_ipv4(void **state) {
    (void)state;
    int fd;
    tw__address bound, to, peer;
    char out[TW__ADDRESS_TEXT], text[TW__ADDRESS_TEXT];
    if (listen_on("[::]:0", 0, &fd, &bound) != 0) {
        assert_int_equal(errno, EAFNOSUPPORT); /* a machine without IPv6 */
        skip();
    }
    tw__address_format(&bound, out);
    snprintf(text, sizeof text, "127.0.0.1:%s", strrchr(out, ':') + 1);
    assert_int_equal(tw__address_parse(&to, text), 0);
    assert_connects(fd, &to, &peer);
    tw__address_format_ip(&peer, out);
    assert_string_equal(out, "127.0.0.1");
    close(fd);
}

static void an_address_in_use_exists(void **state) {
    (void)state;
    int first, second = -1;
    tw__address bound;
    assert_int_equal(listen_on("127.0.0.1:0", 0, &first, &bound), 0);
    assert_int_equal(tw__socket_listen(&bound, 16, 0, &second), TW_EEXISTS);
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(second, -1);
    close(first);
}

static void reuseport_shares_a_port(void **state) {
    (void)state;
    int first, second;
    tw__address bound;
    unsigned flags = TW__LISTEN_REUSEPORT;
    assert_int_equal(listen_on("127.0.0.1:0", flags, &first, &bound), 0);
    assert_int_equal(tw__socket_listen(&bound, 16, flags, &second), 0);
    close(first);
    assert_connects(second, &bound, NULL);
    close(second);
}

static void a_refused_connect_is_an_error_with_errno(void **state) {
    (void)state;
    int fd, client;
    tw__address bound;
    assert_int_equal(listen_on("127.0.0.1:0", 0, &fd, &bound), 0);
    close(fd);
    int err = tw__socket_connect(&bound, &client);
    if (err == 0) {
        wait_for(client, POLLOUT);
        err = tw__socket_connect_result(client);
        assert_int_equal(errno, ECONNREFUSED);
        close(client);
    }
    assert_int_equal(err, TW_EIO);
    assert_int_equal(errno, ECONNREFUSED);
}

static void a_closed_descriptor_has_no_address_and_no_result(void **state) {
    (void)state;
    tw__address address;
    assert_int_equal(tw__socket_local(-1, &address), TW_EIO);
    assert_int_equal(tw__socket_connect_result(-1), TW_EIO);
    assert_int_equal(tw__socket_accept(-1, NULL), -1);
}

/* A folder of the test's own. */
static char folder[64], path[96], unix_text[128];

static int make_folder(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.40s/tw-socket-XXXXXX",
             tmp != NULL && strlen(tmp) < 40 ? tmp : "/tmp");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/s", folder);
    snprintf(unix_text, sizeof unix_text, "unix:%s", path);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void a_unix_socket_is_its_owners_alone(void **state) {
    (void)state;
    int fd;
    tw__address bound, peer;
    struct stat info;
    char out[TW__ADDRESS_TEXT];
    mode_t mask = umask(0);
    assert_int_equal(listen_on(unix_text, 0, &fd, &bound), 0);
    umask(mask);
    assert_flags(fd);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_connects(fd, &bound, &peer);
    tw__address_format(&bound, out);
    assert_string_equal(out, unix_text);
    tw__address_format(&peer, out);
    assert_string_equal(out, "unix:");
    close(fd);
}

static void a_stale_socket_file_is_replaced(void **state) {
    (void)state;
    int fd;
    tw__address bound;
    assert_int_equal(listen_on(unix_text, 0, &fd, NULL), 0);
    close(fd);
    assert_int_equal(listen_on(unix_text, 0, &fd, &bound), 0);
    assert_connects(fd, &bound, NULL);
    close(fd);
}

static void a_live_socket_file_is_not_replaced(void **state) {
    (void)state;
    int first, second;
    tw__address bound;
    assert_int_equal(listen_on(unix_text, 0, &first, &bound), 0);
    assert_int_equal(listen_on(unix_text, 0, &second, NULL), TW_EEXISTS);
    assert_int_equal(errno, EADDRINUSE);
    close(tw__socket_accept(first, NULL)); /* the look at whether it lives */
    assert_connects(first, &bound, NULL);
    close(first);
}

static void a_file_that_is_no_socket_is_not_replaced(void **state) {
    (void)state;
    int fd;
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    close(file);
    assert_int_equal(listen_on(unix_text, 0, &fd, NULL), TW_EEXISTS);
    assert_int_equal(access(path, F_OK), 0);
}

static void a_full_unix_queue_says_try_again(void **state) {
    (void)state;
    int fd, clients[3] = {-1, -1, -1}, err = 0, count = 0;
    tw__address address;
    assert_int_equal(tw__address_parse(&address, unix_text), 0);
    assert_int_equal(tw__socket_listen(&address, 0, 0, &fd), 0);
    while (err == 0 && count < 3) {
        err = tw__socket_connect(&address, &clients[count++]);
    }
    assert_int_equal(err, TW_EIO);
    assert_int_equal(errno, EAGAIN);
    for (int i = 0; i < 3 && clients[i] >= 0; i++) {
        close(clients[i]);
    }
    close(fd);
}

static void a_folder_that_is_missing_is_an_error(void **state) {
    (void)state;
    int fd;
    assert_int_equal(listen_on("unix:/nonexistent/s", 0, &fd, NULL), TW_EIO);
    assert_int_equal(errno, ENOENT);
}

#define IN_FOLDER(test)                                                        \
    cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_written_back),
        cmocka_unit_test(malformed_addresses_are_refused_and_change_nothing),
        cmocka_unit_test(a_unix_path_must_fit_with_its_end),
        cmocka_unit_test(tcp_connects_and_tells_the_peer),
        cmocka_unit_test(all_addresses_of_ipv6_include_ipv4),
        cmocka_unit_test(an_address_in_use_exists),
        cmocka_unit_test(reuseport_shares_a_port),
        cmocka_unit_test(a_refused_connect_is_an_error_with_errno),
        cmocka_unit_test(a_closed_descriptor_has_no_address_and_no_result),
        IN_FOLDER(a_unix_socket_is_its_owners_alone),
        IN_FOLDER(a_stale_socket_file_is_replaced),
        IN_FOLDER(a_live_socket_file_is_not_replaced),
        IN_FOLDER(a_file_that_is_no_socket_is_not_replaced),
        IN_FOLDER(a_full_unix_queue_says_try_again),
        cmocka_unit_test(a_folder_that_is_missing_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
