// Command load makes Kubernetes' own calls on an etcd endpoint and prints how fast they were answered, as one line of JSON.
// See test/bench, which runs it on etcd and on twonode in turn.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const (
	pageSize = 500
	watchers = 50
)

var (
	endpoint    = flag.String("endpoint", "", "host:port")
	op          = flag.String("op", "", "create, update, get, list500, listall, count, delete or watch")
	callers     = flag.Int("callers", 100, "calls at a time")
	connections = flag.Int("connections", 50, "HTTP/2 connections, as kube-apiserver has one for each resource")
	keys        = flag.Int("keys", 20000, "keys in the store")
	count       = flag.Int("n", 20000, "calls to make")
	from        = flag.Int("from", 0, "first key that is changed")
	limit       = flag.Duration("limit", 0, "make no more calls after this long; 0 is no limit. Watchers give up after it")
	prefix      = flag.String("prefix", "/registry/pods/default/", "of all keys; no kube-apiserver may read them: the values are no objects")
	valueBytes  = flag.Int("value-bytes", 1024, "size of a value")
)

type result struct {
	PerSecond float64 `json:"perSecond"`
	P50Ms     float64 `json:"p50Ms"`
	P99Ms     float64 `json:"p99Ms"`
}

func key(i int) string { return fmt.Sprintf("%spod-%08d", *prefix, i) }

func main() {
	flag.Parse()
	clients := make([]*clientv3.Client, min(*connections, *callers))
	for i := range clients {
		client, err := clientv3.New(clientv3.Config{Endpoints: []string{*endpoint}, Logger: zap.NewNop()})
		check(err)
		clients[i] = client
	}
	ctx := context.Background()
	value := make([]byte, *valueBytes)
	rand.New(rand.NewSource(1)).Read(value)
	put := func(i int) clientv3.Op { return clientv3.OpPut(key(i), string(value)) }
	revisions := map[string]int64{}
	if *op == "update" || *op == "delete" || *op == "watch" {
		revisions = modRevisions(ctx, clients[0])
	}
	end := clientv3.GetPrefixRangeEnd(*prefix)
	guarded := func(c *clientv3.Client, i int, then clientv3.Op) error {
		txn := c.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key(i)), "=", revisions[key(i)])).Then(then)
		if *op != "create" {
			txn = txn.Else(clientv3.OpGet(key(i)))
		}
		answer, err := txn.Commit()
		if err == nil && !answer.Succeeded {
			return fmt.Errorf("%s is not at revision %d", key(i), revisions[key(i)])
		}
		return err
	}
	list := func(c *clientv3.Client, from string, limit int64) error {
		_, err := c.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(limit))
		return err
	}
	calls := map[string]func(c *clientv3.Client, i int) error{
		"create":  func(c *clientv3.Client, i int) error { return guarded(c, *from+i, put(*from+i)) },
		"update":  func(c *clientv3.Client, i int) error { return guarded(c, *from+i, put(*from+i)) },
		"watch":   func(c *clientv3.Client, i int) error { return guarded(c, *from+i, put(*from+i)) },
		"delete":  func(c *clientv3.Client, i int) error { return guarded(c, *from+i, clientv3.OpDelete(key(*from+i))) },
		"get":     func(c *clientv3.Client, i int) error { _, err := c.Get(ctx, key(i%*keys)); return err },
		"list500": func(c *clientv3.Client, i int) error { return list(c, key((i*pageSize)%*keys), pageSize) },
		"listall": func(c *clientv3.Client, _ int) error { return list(c, *prefix, 0) },
		"count": func(c *clientv3.Client, _ int) error {
			_, err := c.Get(ctx, *prefix, clientv3.WithRange(end), clientv3.WithCountOnly())
			return err
		},
	}
	call, known := calls[*op]
	if !known {
		log.Fatalf("unknown -op %q", *op)
	}
	var delivered sync.WaitGroup
	if *op == "watch" {
		watch(ctx, clients, &delivered)
	}
	started := time.Now()
	latencies := run(clients, call)
	wait(&delivered)
	seconds := time.Since(started).Seconds()
	total := len(latencies)
	if *op == "watch" {
		total *= watchers
	}
	slices.Sort(latencies)
	at := func(part float64) float64 {
		return float64(latencies[int(part*float64(len(latencies)-1))].Microseconds()) / 1000
	}
	check(json.NewEncoder(os.Stdout).Encode(result{float64(total) / seconds, at(0.5), at(0.99)}))
}

// run makes all calls, *callers at a time, and returns how long each took.
func run(clients []*clientv3.Client, call func(c *clientv3.Client, i int) error) []time.Duration {
	latencies := make([]time.Duration, *count)
	begun := time.Now()
	var next atomic.Int64
	var all sync.WaitGroup
	for caller := range *callers {
		all.Go(func() {
			client := clients[caller%len(clients)]
			for i := int(next.Add(1)) - 1; i < *count; i = int(next.Add(1)) - 1 {
				if *limit > 0 && time.Since(begun) > *limit {
					return
				}
				started := time.Now()
				check(call(client, i))
				latencies[i] = time.Since(started)
			}
		})
	}
	all.Wait()
	return slices.DeleteFunc(latencies, func(took time.Duration) bool { return took == 0 })
}

// watch opens the watchers; delivered is done when each has had an event for each call.
func watch(ctx context.Context, clients []*clientv3.Client, delivered *sync.WaitGroup) {
	var open sync.WaitGroup
	for i := range watchers {
		events := clients[i%len(clients)].Watch(clientv3.WithRequireLeader(ctx), *prefix,
			clientv3.WithPrefix(), clientv3.WithPrevKV(), clientv3.WithCreatedNotify())
		open.Add(1)
		delivered.Go(func() {
			created := <-events
			check(created.Err())
			open.Done()
			for seen := 0; seen < *count; {
				answer := <-events
				check(answer.Err())
				seen += len(answer.Events)
			}
		})
	}
	open.Wait()
}

// wait ends the program when the watchers are not done in time.
func wait(delivered *sync.WaitGroup) {
	if *limit > 0 {
		defer time.AfterFunc(*limit, func() { log.Fatalf("not every event was delivered within %s", *limit) }).Stop()
	}
	delivered.Wait()
}

func modRevisions(ctx context.Context, client *clientv3.Client) map[string]int64 {
	answer, err := client.Get(ctx, *prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	check(err)
	revisions := map[string]int64{}
	for _, kv := range answer.Kvs {
		revisions[string(kv.Key)] = kv.ModRevision
	}
	return revisions
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
