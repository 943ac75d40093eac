package failpoint

import "fmt"

// Point is a place in the code, just after what it is named for, unless it says before.
type Point uint8

// The points of a client.
const (
	DialConnected Point = iota
	DialHelloSent
	DialWelcomeReceived
	DialMapped
	SlotTaken
	SlotPagesBefore
	SlotPagesTaken // their number has not been told
	BlockAllocated
	HeaderWritten // before the word is stored
	WordStored    // before the bell is read
	BatchPublished
	ReadySet        // before the bell is read
	BellTaken       // and nobody woken yet
	BellRung        // somebody has been woken
	WaitAnnounced   // before the sleep
	WaitEnded       // after the sleep
	ReliefBefore    // about to ring for relief
	ReplySeen       // before its header is read
	ReleaseBefore   // a reply has been read
	ReleaseStored   // in the request word
	SlotFreed       // the call is over
	AbandonBefore   // a caller gives up
	AbandonStored   // in the request word
	AbandonRung     // for the handler's context
	NoticeAsked     // for the reply of a call that has been submitted
	NoticeAnnounced // the collector of replies is about to sleep
	NoticeTaken     // the bits of groups with replies
	CloseBegun
	CloseUnmapping

	// Both ends.
	GrowBefore
	GrowTaken // the arena has pages, and its owner does not know
	TrimBefore
	TrimTaken // the pages have been given back, and more may be

	firstServer // the points of a server follow
)

// The points of a server.
const (
	ListenLocked Point = iota + firstServer
	ListenBound
	ConnGreeted
	ConnMapped
	ConnWelcomed
	CallsTaken   // the bits of groups with calls
	CallTaken    // before its method runs
	ReplyWritten // before the word is stored
	ReplyStored  // before its caller is woken
	ReplyNoticed // the bit is set, before the bell is read
	BellStored   // that the server sleeps, polls or is parked
	ListenClosed // the socket has been removed, the lock has not

	points
)

var names = [points]string{
	DialConnected: "dial-connected", DialHelloSent: "dial-hello-sent", DialWelcomeReceived: "dial-welcome-received", DialMapped: "dial-mapped",
	SlotTaken: "slot-taken", SlotPagesBefore: "slot-pages-before", SlotPagesTaken: "slot-pages-taken", BlockAllocated: "block-allocated",
	HeaderWritten: "header-written", WordStored: "word-stored", BatchPublished: "batch-published", ReadySet: "ready-set",
	BellTaken: "bell-taken", BellRung: "bell-rung", WaitAnnounced: "wait-announced", WaitEnded: "wait-ended", ReliefBefore: "relief-before",
	ReplySeen: "reply-seen", ReleaseBefore: "release-before", ReleaseStored: "release-stored", SlotFreed: "slot-freed",
	AbandonBefore: "abandon-before", AbandonStored: "abandon-stored", AbandonRung: "abandon-rung",
	NoticeAsked: "notice-asked", NoticeAnnounced: "notice-announced", NoticeTaken: "notice-taken",
	CloseBegun: "close-begun", CloseUnmapping: "close-unmapping",
	GrowBefore: "grow-before", GrowTaken: "grow-taken", TrimBefore: "trim-before", TrimTaken: "trim-taken",
	ListenLocked: "listen-locked", ListenBound: "listen-bound", ConnGreeted: "conn-greeted", ConnMapped: "conn-mapped", ConnWelcomed: "conn-welcomed",
	CallsTaken: "calls-taken", CallTaken: "call-taken", ReplyWritten: "reply-written", ReplyStored: "reply-stored",
	ReplyNoticed: "reply-noticed", BellStored: "bell-stored", ListenClosed: "listen-closed",
}

// String returns the point's name.
func (p Point) String() string {
	if p < points && names[p] != "" {
		return names[p]
	}
	return fmt.Sprintf("Point(%d)", int(p))
}

// ClientPoints returns the points that a client comes to.
func ClientPoints() []Point { return between(0, firstServer) }

// ServerPoints returns the points that a server comes to.
func ServerPoints() []Point {
	return append(between(GrowBefore, firstServer), between(firstServer, points)...)
}

func between(from, to Point) []Point {
	var all []Point
	for p := from; p < to; p++ {
		all = append(all, p)
	}
	return all
}
