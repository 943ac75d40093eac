// Package link is one connection's segment, seen from its two ends: Client submits calls and waits for replies, Server takes calls and
// publishes replies.
//
// # Memory ordering
//
// A call is published by one atomic store of its slot's request word, and its reply by one atomic exchange of the reply word. Go's atomics
// are sequentially consistent, so everything written before the store is seen by whoever loads the new value.
//
// Who sleeps says so first and looks again after; who publishes looks afterwards whether anybody sleeps. Of two such store-then-load pairs
// at least one sees the other's store (Dekker), so no wake-up is lost: client's request word against the server's bell, and the
// ready mask against the bell. Reply words need no second word, as the sleeper's flag is exchanged out of the word that is published.
//
// # Trust
//
// Nothing in the segment is believed: each word is loaded once, checked, and used from the local copy. Who owns which block, which slots
// are in use, and which calls have been taken is private memory of the side that decides it. The payload itself may change while it is read,
// if the peer means harm: it is never interpreted here.
package link
