// A session of go-zookeeper; prints what the server let it see.
//
//	go run . 127.0.0.1:2181
//
// What must differ from run to run is not printed, or relative to the first: zxids, times, session ids, the order of
// children. Lines "@server stop|kill|start" ask the harness for that; it answers "ok" on standard input.
package main

import (
	"bufio"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

const patience = 60 * time.Second

var (
	hosts    []string
	baseZxid int64
	orders   = bufio.NewReader(os.Stdin)
	open     = zk.WorldACL(zk.PermAll)
)

func say(parts ...any) { fmt.Println(parts...) }

func section(name string) { fmt.Printf("\n## %s\n", name) }

func show(value any) string {
	switch one := value.(type) {
	case *zk.Stat:
		if one == nil {
			return "no stat"
		}
		return fmt.Sprintf("stat(czxid=%d mzxid=%d pzxid=%d version=%d cversion=%d aversion=%d ephemeral=%t length=%d children=%d)",
			one.Czxid-baseZxid, one.Mzxid-baseZxid, one.Pzxid-baseZxid, one.Version, one.Cversion, one.Aversion,
			one.EphemeralOwner != 0, one.DataLength, one.NumChildren)
	case []byte:
		if len(one) > 60 {
			return fmt.Sprintf("%d bytes", len(one))
		}
		return fmt.Sprintf("%q", one)
	case []string:
		sorted := append([]string{}, one...)
		sort.Strings(sorted)
		return fmt.Sprint(sorted)
	case []zk.ACL:
		shown := []string{}
		for _, entry := range one {
			shown = append(shown, fmt.Sprintf("%s:%s:%d", entry.Scheme, entry.ID, entry.Perms))
		}
		return fmt.Sprint(shown)
	case []zk.MultiResponse:
		shown := []string{}
		for _, result := range one {
			shown = append(shown, fmt.Sprintf("%s %s %v", result.String, show(result.Stat), result.Error))
		}
		return strings.Join(shown, "; ")
	case zk.Event:
		return fmt.Sprintf("%v %v %s %v", one.Type, one.State, one.Path, one.Err)
	default:
		return fmt.Sprint(one)
	}
}

// Prints what a call gave, or its error.
func call(name string, err error, results ...any) {
	if err != nil {
		say(name, "!!", err)
		return
	}
	shown := []string{}
	for _, result := range results {
		shown = append(shown, show(result))
	}
	say(name, "->", strings.Join(shown, " "))
}

func server(order string) {
	fmt.Println("@server " + order)
	line, err := orders.ReadString('\n')
	if err != nil || line != "ok\n" {
		panic(fmt.Sprintf("the harness said %q, %v", line, err))
	}
}

func until(holds func() bool) bool {
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

// The next event of a watch.
func tell(name string, events <-chan zk.Event) {
	select {
	case event := <-events:
		say(name, "->", show(event))
	case <-time.After(patience):
		say(name, "-> none")
	}
}

// A client and the states that it was told of.
type client struct {
	*zk.Conn
	mutex  sync.Mutex
	states []zk.State
}

func connect() *client {
	made := &client{}
	conn, _, err := zk.Connect(hosts, 10*time.Second, zk.WithLogInfo(false), zk.WithLogger(silent{}),
		zk.WithEventCallback(func(event zk.Event) {
			if event.Type != zk.EventSession {
				return
			}
			made.mutex.Lock()
			defer made.mutex.Unlock()
			made.states = append(made.states, event.State)
		}))
	if err != nil {
		panic(err)
	}
	made.Conn = conn
	made.untilSession()
	return made
}

// Whether it has a session, and was told so.
func (c *client) untilSession() bool {
	return until(func() bool { return c.State() == zk.StateHasSession && c.count(zk.StateHasSession) > 0 })
}

func (c *client) count(state zk.State) int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	count := 0
	for _, one := range c.states {
		if one == state {
			count++
		}
	}
	return count
}

type silent struct{}

func (silent) Printf(string, ...any) {}

func basics(c *client) {
	section("basics")
	create := func(path string, data []byte, flags int32) {
		made, err := c.Create(path, data, flags, open)
		call("create "+path, err, made)
	}
	get := func(path string) {
		data, stat, err := c.Get(path)
		call("get "+path, err, data, stat)
	}
	set := func(path string, data string, version int32) {
		stat, err := c.Set(path, []byte(data), version)
		call(fmt.Sprintf("set %s %d", path, version), err, stat)
	}
	children := func(path string) {
		names, stat, err := c.Children(path)
		call("children "+path, err, names, stat)
	}
	exists := func(path string) {
		there, stat, err := c.Exists(path)
		call("exists "+path, err, there, stat)
	}
	remove := func(path string, version int32) {
		call(fmt.Sprintf("delete %s %d", path, version), c.Delete(path, version))
	}
	_, err := c.Create("/a", []byte("one"), 0, open)
	call("create /a", err)
	_, stat, _ := c.Exists("/a")
	baseZxid = stat.Czxid
	create("/a", []byte("again"), 0)
	create("/no/where", nil, 0)
	create("/empty", []byte{}, 0)
	create("/nodata", nil, 0)
	get("/empty")
	get("/nodata")
	create("/a/seq-", nil, zk.FlagSequence)
	create("/a/seq-", nil, zk.FlagSequence)
	create("/a/eph", []byte("e"), zk.FlagEphemeral)
	create("/a/es-", nil, zk.FlagEphemeral|zk.FlagSequence)
	create("/a/eph/child", nil, 0)
	create("relative", nil, 0)
	create("/a/", nil, 0)
	create("/a//b", nil, 0)
	create("/a/日本 ü", []byte("ж"), 0)
	get("/a/日本 ü")
	made, err := c.CreateContainer("/a/container", []byte("c"), zk.FlagContainer, open)
	call("container", err, made)
	made, err = c.CreateTTL("/a/ttl", []byte("t"), zk.FlagTTL, open, 10*time.Minute)
	call("ttl", err, made)
	children("/a")
	children("/")
	children("/missing")
	get("/missing")
	exists("/a/eph")
	exists("/missing")
	set("/a", "two", -1)
	set("/a", "three", 1)
	set("/a", "four", 1)
	set("/missing", "x", -1)
	get("/a")
	remove("/a", -1)
	remove("/missing", -1)
	remove("/empty", 5)
	remove("/empty", 0)
	remove("/zookeeper", -1)
	synced, err := c.Sync("/a")
	call("sync", err, synced)
	create("/large", make([]byte, 900_000), 0)
	data, _, err := c.Get("/large")
	call("get /large", err, data)
}

func acls(c *client) {
	section("acls")
	list, stat, err := c.GetACL("/a")
	call("acl", err, list, stat)
	_, err = c.Create("/read-only", []byte("r"), 0, zk.WorldACL(zk.PermRead))
	call("create /read-only", err)
	_, err = c.Set("/read-only", []byte("x"), -1)
	call("set /read-only", err)
	_, err = c.Create("/creator", nil, 0, zk.AuthACL(zk.PermAll))
	call("create /creator without a user", err)
	gopher := connect()
	call("auth", gopher.AddAuth("digest", []byte("gopher:pw")))
	_, err = gopher.Create("/creator", nil, 0, zk.AuthACL(zk.PermAll))
	call("create /creator", err)
	list, stat, err = gopher.GetACL("/creator")
	call("acl", err, list, stat)
	_, err = c.Sync("/creator")
	call("sync", err)
	_, _, err = c.Get("/creator")
	call("get /creator of another", err)
	stat, err = gopher.SetACL("/creator", zk.DigestACL(zk.PermRead, "gopher", "pw"), 4)
	call("set acl 4", err, stat)
	stat, err = gopher.SetACL("/creator", zk.DigestACL(zk.PermRead, "gopher", "pw"), 0)
	call("set acl 0", err, stat)
	_, err = gopher.Set("/creator", []byte("x"), -1)
	call("set /creator", err)
	_, err = c.SetACL("/a", []zk.ACL{{Perms: zk.PermAll, Scheme: "nosuch", ID: "x"}}, -1)
	call("set acl of a scheme that is not", err)
	_, err = c.SetACL("/missing", open, -1)
	call("set acl /missing", err)
	gopher.Close()
	until(func() bool { return gopher.State() == zk.StateDisconnected })
}

func transactions(c *client) {
	section("transactions")
	multi := func(name string, ops ...any) {
		results, err := c.Multi(ops...)
		say(name, "->", show(results), err)
	}
	multi("all",
		&zk.CreateRequest{Path: "/t", Data: []byte("1"), Acl: open},
		&zk.CreateRequest{Path: "/t/x", Acl: open},
		&zk.SetDataRequest{Path: "/t", Data: []byte("2"), Version: 0},
		&zk.CheckVersionRequest{Path: "/t", Version: 1},
		&zk.DeleteRequest{Path: "/t/x", Version: -1})
	data, stat, err := c.Get("/t")
	call("get /t", err, data, stat)
	multi("a version that is not",
		&zk.CreateRequest{Path: "/t/new", Acl: open},
		&zk.CheckVersionRequest{Path: "/t", Version: 9},
		&zk.CreateRequest{Path: "/t/other", Acl: open})
	multi("there already", &zk.CreateRequest{Path: "/t", Acl: open})
	names, _, err := c.Children("/t")
	call("children /t", err, names)
}

func watches(c *client) {
	section("watches")
	other := connect()
	_, err := c.Create("/w", nil, 0, open)
	call("create /w", err)
	// Of a member that lags: it has what comes next in its order.
	_, err = other.Sync("/w")
	call("sync", err)
	_, _, events, err := c.GetW("/w")
	call("get /w", err)
	_, err = other.Set("/w", []byte("1"), -1)
	call("set /w", err)
	tell("data watch", events)
	_, _, events, err = c.ExistsW("/w/later")
	call("exists /w/later", err)
	_, err = other.Create("/w/later", nil, 0, open)
	call("create /w/later", err)
	tell("exists watch", events)
	_, _, events, err = c.ChildrenW("/w")
	call("children /w", err)
	_, _, deleted, err := c.ExistsW("/w/later")
	call("exists /w/later", err)
	call("delete /w/later", other.Delete("/w/later", -1))
	tell("child watch", events)
	tell("delete watch", deleted)
	_, _, events, err = c.ExistsW("/w/eph")
	call("exists /w/eph", err)
	_, err = other.Create("/w/eph", nil, zk.FlagEphemeral, open)
	call("create /w/eph", err)
	tell("ephemeral came", events)
	_, _, events, err = c.ExistsW("/w/eph")
	call("exists /w/eph", err)
	other.Close()
	tell("ephemeral went", events)
}

func locks(c *client) {
	section("locks")
	var holders, overlaps, turns int
	var mutex sync.Mutex
	var waiting sync.WaitGroup
	clients := []*client{c, connect(), connect()}
	for _, one := range clients {
		waiting.Add(1)
		go func(one *client) {
			defer waiting.Done()
			for turn := 0; turn < 10; turn++ {
				lock := zk.NewLock(one.Conn, "/locks/one", open)
				if err := lock.Lock(); err != nil {
					say("lock", "!!", err)
					return
				}
				mutex.Lock()
				holders++
				turns++
				if holders > 1 {
					overlaps++
				}
				mutex.Unlock()
				time.Sleep(time.Millisecond)
				mutex.Lock()
				holders--
				mutex.Unlock()
				if err := lock.Unlock(); err != nil {
					say("unlock", "!!", err)
					return
				}
			}
		}(one)
	}
	waiting.Wait()
	say(turns, "turns, overlaps", overlaps)
	for _, one := range clients[1:] {
		one.Close()
	}
}

// Tries until the request is carried out: a connection that breaks ends requests without an answer.
func insist(request func() error) error {
	var err error
	until(func() bool {
		err = request()
		return err != zk.ErrConnectionClosed && err != zk.ErrSessionMoved && err != zk.ErrNoServer
	})
	return err
}

func sessions(c *client) {
	section("the server restarts")
	session := c.SessionID()
	_, err := c.Create("/kept", []byte("kept"), zk.FlagEphemeral, open)
	call("create /kept", err)
	_, _, data, err := c.GetW("/w")
	call("get /w", err)
	_, _, later, err := c.ExistsW("/later")
	call("exists /later", err)
	for _, order := range []string{"stop", "kill"} {
		before := c.count(zk.StateDisconnected)
		server(order)
		until(func() bool { return c.count(zk.StateDisconnected) > before })
		server("start")
		c.untilSession()
		var there bool
		var stat *zk.Stat
		err = insist(func() (err error) { there, stat, err = c.Exists("/kept"); return })
		call("exists /kept", err, there, stat.EphemeralOwner == session)
		say("same session", c.SessionID() == session)
	}
	err = insist(func() (err error) { _, err = c.Set("/w", []byte("after"), -1); return })
	call("set /w", err)
	tell("data watch set again", data)
	err = insist(func() (err error) { _, err = c.Create("/later", nil, 0, open); return })
	call("create /later", err)
	tell("exists watch set again", later)
	var made string
	err = insist(func() (err error) { made, err = c.Create("/a/seq-", nil, zk.FlagSequence, open); return })
	call("sequence goes on", err, made)

	section("many in flight")
	_, err = c.Create("/many", nil, 0, open)
	call("create /many", err)
	count := func(request func(path string) error) int {
		var waiting sync.WaitGroup
		var mutex sync.Mutex
		done := 0
		for n := 0; n < 1000; n++ {
			waiting.Add(1)
			go func(n int) {
				defer waiting.Done()
				if request(fmt.Sprintf("/many/n%d", n)) == nil {
					mutex.Lock()
					done++
					mutex.Unlock()
				}
			}(n)
		}
		waiting.Wait()
		return done
	}
	say("created", count(func(path string) error { _, err := c.Create(path, nil, 0, open); return err }))
	say("deleted", count(func(path string) error { return c.Delete(path, -1) }))
}

func main() {
	hosts = strings.Split(os.Args[1], ",")
	c := connect()
	basics(c)
	acls(c)
	transactions(c)
	watches(c)
	locks(c)
	sessions(c)
	c.Close()
	_, _, err := c.Get("/a")
	call("get after close", err)
}
