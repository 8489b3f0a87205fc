/* Which pages may open a WebSocket. SPDX-License-Identifier: MIT */
import assert from "node:assert/strict";
import { Socket, readResponse } from "../integration/socket.mjs";
import { eachFeed, serve } from "./suite.mjs";
import { assertSwitched, upgrade } from "./wire.mjs";

const site = serve();

function origin(name, value, isAllowed, path = "/echo", host = "chat.example") {
  eachFeed(`RFC 6455 10.2: ${name}`, async (feed) => {
    const socket = await Socket.connect(site.port);
    await feed(socket, upgrade(path, { Origin: value }, { host }));
    const response = await readResponse(socket);
    if (isAllowed) {
      assertSwitched(response);
    } else {
      assert.equal(response.status, 403);
      assert.equal(response.headers.connection, "close");
      assert.ok(await socket.isFinished());
    }
    socket.cut();
  });
}
const allows = (name, value, ...rest) => origin(`${name} is allowed`, value, true, ...rest);
const denies = (name, value, ...rest) => origin(`${name} is answered with 403`, value, false, ...rest);

/* ---- by default: the same origin ---- */

allows("a client without an Origin", null);
allows("a page of the same host", "http://chat.example");
allows("a page of the same host behind TLS", "https://chat.example");
allows("the same host in other letters", "http://CHAT.Example");
allows("the same host and port", "http://chat.example:8080", "/echo", "chat.example:8080");
allows("the port that goes without saying", "http://chat.example:80");
allows("the port that Host alone says", "http://chat.example", "/echo", "chat.example:80");
allows("the same IPv6 address", "http://[::1]:8080", "/echo", "[::1]:8080");
denies("a page of another host", "http://evil.example");
denies("a page of a host that ends alike", "http://evilchat.example");
denies("a page of a host that begins alike", "http://chat.example.evil");
denies("a page below the host", "http://sub.chat.example");
denies("a page of another port", "http://chat.example:8081", "/echo", "chat.example:8080");
denies("a page of the standard port where Host has another", "http://chat.example", "/echo", "chat.example:8080");
denies("a page without an origin", "null");
denies("a local file", "file://");
denies("an empty Origin", "");
denies("an Origin that is no origin", "chat.example");
denies("an Origin with a path", "http://chat.example/page");
denies("an Origin with a user", "http://chat.example@evil.example");
denies("an Origin of another scheme", "ftp://chat.example");
denies("two Origins", ["http://chat.example", "http://chat.example"]);
denies("two Origins in a line", "http://chat.example, http://evil.example");

/* ---- patterns of the script ---- */

const listed = (check, name, value) => check(name, value, "/origins");
listed(allows, "an origin of the list", "https://app.example");
listed(allows, "an origin of the list with its port", "https://app.example:443");
listed(denies, "an origin of the list with another scheme", "http://app.example");
listed(denies, "an origin of the list with another port", "https://app.example:8443");
listed(allows, "a name below a star", "https://a.example.org");
listed(allows, "a name deep below a star", "https://a.b.example.org");
listed(denies, "the name that the star is below", "https://example.org");
listed(denies, "a name that ends like the one below the star", "https://evilexample.org");
listed(allows, "any port where the port is a star", "http://localhost:5173");
listed(allows, "the standard port where the port is a star", "http://localhost");
listed(allows, "the port of the list", "https://port.example:8443");
listed(denies, "the standard port where the list has another", "https://port.example");
listed(allows, "the same origin besides the list", "http://chat.example");
listed(denies, "what no pattern matches", "https://other.example");
listed(denies, "a page without an origin besides the list", "null");
allows("everybody where the list says so", "https://whoever.example", "/any-origin");
denies("a page without an origin where everybody is", "null", "/any-origin");
allows("a page without an origin where the list says so", "null", "/null-origin");
denies("everybody else there", "https://whoever.example", "/null-origin");
