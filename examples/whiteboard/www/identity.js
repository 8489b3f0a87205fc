/* identity.js - who this browser is: a secret that it makes itself once, a name
 * and a colour. SPDX-License-Identifier: MIT */

const KEY = "whiteboard-key";
const NAMES = ["Otter", "Heron", "Lynx", "Wren", "Badger", "Newt", "Raven", "Hare", "Seal", "Moth", "Stoat", "Finch"];

function hex(count) {
  return Array.from(crypto.getRandomValues(new Uint8Array(count)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/* Storage may be forbidden; then it lasts as long as the page. */
function stored() {
  try {
    const key = localStorage.getItem(KEY) ?? hex(20);
    localStorage.setItem(KEY, key);
    return key;
  } catch {
    return hex(20);
  }
}

const key = stored();
const number = parseInt(key.slice(0, 6), 16) || 0;

export const identity = { key, nick: NAMES[number % NAMES.length], color: 1 + (number % 8) };
