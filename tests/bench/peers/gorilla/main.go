// The peer app on gorilla/websocket: /echo, /sub, /pub and /room, built as its
// documentation's chat: a hub, and a read and a write pump for each connection.
// ?channel= names a channel, or several for /room, which talks in the first.
//
//	main PORT
//
// SPDX-License-Identifier: MIT
package main

import (
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

const (
	writeWait  = 10 * time.Second
	pongWait   = 60 * time.Second
	pingPeriod = 30 * time.Second
	maxMessage = 1 << 20
	queue      = 256 // messages that wait for a client; a full queue closes it
)

type client struct {
	conn     *websocket.Conn
	channels []string
	send     chan *websocket.PreparedMessage
	hasLeft  bool // the hub's
}

type publication struct {
	channel string
	message *websocket.PreparedMessage
	except  *client
}

type hub struct {
	channels   map[string]map[*client]bool
	register   chan *client
	unregister chan *client
	publish    chan publication
}

var (
	theHub = &hub{
		channels:   map[string]map[*client]bool{},
		register:   make(chan *client),
		unregister: make(chan *client),
		publish:    make(chan publication),
	}
	upgrader = websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024}
)

func (h *hub) remove(c *client) {
	if c.hasLeft {
		return
	}
	c.hasLeft = true
	close(c.send)
	for _, channel := range c.channels {
		members := h.channels[channel]
		delete(members, c)
		if len(members) == 0 {
			delete(h.channels, channel)
		}
	}
}

func (h *hub) run() {
	for {
		select {
		case c := <-h.register:
			for _, channel := range c.channels {
				if h.channels[channel] == nil {
					h.channels[channel] = map[*client]bool{}
				}
				h.channels[channel][c] = true
			}
		case c := <-h.unregister:
			h.remove(c)
		case p := <-h.publish:
			for c := range h.channels[p.channel] {
				if c == p.except {
					continue
				}
				select {
				case c.send <- p.message:
				default:
					h.remove(c)
				}
			}
		}
	}
}

// read calls handle with every message until the connection ends.
func (c *client) read(handle func(kind int, data []byte) error) {
	c.conn.SetReadLimit(maxMessage)
	c.conn.SetReadDeadline(time.Now().Add(pongWait))
	c.conn.SetPongHandler(func(string) error {
		return c.conn.SetReadDeadline(time.Now().Add(pongWait))
	})
	for {
		kind, data, err := c.conn.ReadMessage()
		if err != nil || handle(kind, data) != nil {
			return
		}
	}
}

func (c *client) write() {
	ticker := time.NewTicker(pingPeriod)
	defer func() {
		ticker.Stop()
		c.conn.Close()
	}()
	for {
		select {
		case message, ok := <-c.send:
			c.conn.SetWriteDeadline(time.Now().Add(writeWait))
			if !ok {
				c.conn.WriteMessage(websocket.CloseMessage, nil)
				return
			}
			if c.conn.WritePreparedMessage(message) != nil {
				return
			}
		case <-ticker.C:
			c.conn.SetWriteDeadline(time.Now().Add(writeWait))
			if c.conn.WriteMessage(websocket.PingMessage, nil) != nil {
				return
			}
		}
	}
}

func (c *client) publish(kind int, data []byte, except *client) error {
	message, err := websocket.NewPreparedMessage(kind, data)
	if err == nil {
		theHub.publish <- publication{c.channels[0], message, except}
	}
	return err
}

func echo(c *client) {
	defer c.conn.Close()
	c.read(c.conn.WriteMessage)
}

func pub(c *client) {
	defer c.conn.Close()
	c.read(func(kind int, data []byte) error {
		return c.publish(kind, data, nil)
	})
}

// join is a member of its channel; what it says is handled by handle.
func join(c *client, handle func(kind int, data []byte) error) {
	c.send = make(chan *websocket.PreparedMessage, queue)
	theHub.register <- c
	go c.write()
	c.read(handle)
	theHub.unregister <- c
}

func sub(c *client) {
	join(c, func(int, []byte) error { return nil })
}

func room(c *client) {
	join(c, func(kind int, data []byte) error {
		return c.publish(kind, data, c)
	})
}

// handle serves a path. The request's own goroutine ends, and with it the
// buffers of net/http, which is what the chat of the documentation does.
func handle(app func(*client)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		channel := r.URL.Query().Get("channel")
		if channel == "" {
			channel = "bench"
		}
		go app(&client{conn: conn, channels: strings.Split(channel, ",")})
	}
}

func main() {
	go theHub.run()
	http.HandleFunc("/echo", handle(echo))
	http.HandleFunc("/sub", handle(sub))
	http.HandleFunc("/pub", handle(pub))
	http.HandleFunc("/room", handle(room))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
