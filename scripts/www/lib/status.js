/* status.js - shows honestly how a connection is. SPDX-License-Identifier: MIT
 *
 *   <div class="status" id="status"></div>
 *   showStatus(document.getElementById("status"), socket);
 *
 * Counting down is for eyes only; screen readers hear each change once. */

const WORDS = {
  connecting: "Connecting…",
  online: "Online",
  waiting: "Offline",
  closed: "Disconnected",
};

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

export function showStatus(place, socket) {
  const text = make("span", "status-text");
  const spoken = make("span", "aside-for-readers");
  const retry = make("button", "status-retry", "Retry now");
  let ticking = 0;

  text.setAttribute("aria-hidden", "true");
  spoken.setAttribute("role", "status");
  retry.type = "button";
  retry.addEventListener("click", () => socket.retryNow());
  place.replaceChildren(make("span", "status-dot"), text, spoken, retry);

  function countDown() {
    const seconds = Math.max(0, Math.ceil((socket.retryAt - Date.now()) / 1000));
    text.textContent = seconds > 0 ? `Offline, retrying in ${seconds} s` : "Offline, retrying…";
  }

  function draw() {
    const { state, lastClose } = socket;
    clearInterval(ticking);
    place.dataset.state = state;
    text.textContent = spoken.textContent = WORDS[state];
    retry.hidden = state !== "waiting";
    if (state === "waiting") {
      countDown();
      ticking = setInterval(countDown, 250);
    }
    place.title = state !== "online" && lastClose ? `Closed with ${lastClose.code} ${lastClose.reason}`.trim() : "";
  }

  socket.addEventListener("state", draw);
  draw();
}
