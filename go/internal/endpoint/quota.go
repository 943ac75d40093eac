package endpoint

import (
	"fmt"
	"os"
	"sync"
)

// DefaultUserConnections is how many connections each user but the server's own may have at once, where nothing else is said.
const DefaultUserConnections = 256

// quota counts the connections of each user, and bounds them. It is safe for concurrent use.
type quota struct {
	most int // for each user; 0: DefaultUserConnections, but for the server's own user any number

	mu          sync.Mutex
	connections map[int]int // by uid
}

// limit returns how many connections a user may have, 0 for any number.
func (q *quota) limit(uid int) int {
	if q.most == 0 && uid != os.Geteuid() {
		return DefaultUserConnections
	}
	return q.most
}

// enter counts a connection of a user, or returns why there may not be another one.
func (q *quota) enter(uid int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if limit := q.limit(uid); limit > 0 && q.connections[uid] >= limit {
		return fmt.Errorf("user %d has %d connections to this service, as many as it may: close some that are not needed, or have the server allow more", uid, limit)
	}
	if q.connections == nil {
		q.connections = map[int]int{}
	}
	q.connections[uid]++
	return nil
}

// leave ends what enter has begun.
func (q *quota) leave(uid int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.connections[uid]--; q.connections[uid] == 0 {
		delete(q.connections, uid)
	}
}
