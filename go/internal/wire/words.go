package wire

// A request word is generation<<8 | flags | state. The client alone writes it.
const (
	StateIdle      = 0 // nothing submitted since the segment was made
	StateCall      = 1 // a call is submitted
	StateCancelled = 2 // its caller has gone: whatever the reply, it will not be read
	StateReleased  = 3 // its reply has been read: the server may take back the reply's block
	stateMask      = 0x0f

	// FlagNotify beside StateCall asks for notice of the reply: a bit at the segment's Notices. In a reply word it is the same, for a call that has been
	// submitted without.
	FlagNotify = 0x10
)

// A reply word is generation<<8 | flags. The server publishes replies in it; the client adds FlagWaiting, FlagNotify and FlagNudge.
const (
	FlagDone    = 1 // the reply of this generation is complete
	FlagWaiting = 2 // a thread of the client sleeps on the word
	FlagNudge   = 4 // the client's own, to wake a sleeper of its own by changing the word
	FlagClosed  = 8 // the connection has ended; set by the client's own watcher
)

// The bell says what the server's waiter does. The server writes it; a client that wakes the server changes BellSleeping or
// BellParked to BellAwake. The bell of the notices is the same with the ends exchanged, without polling and parking.
const (
	BellAwake    = 0       // looks at the ready mask before it sleeps
	BellSleeping = 1       // sleeps on this word
	BellClosed   = 2       // the connection has ended; set by the server's own watcher
	BellParked   = 3       // idle, without a thread: to be rung for by a packet on the connection's socket
	bellPolling  = 1 << 16 // | slot: also looks at the request word of that slot, which need not be rung for
)

const generationShift = 8

// GenerationMask covers the bits of a generation, which wraps around within 24 bits.
const GenerationMask = 1<<24 - 1

// Word returns the word of a generation with state or flags.
func Word(generation, bits uint32) uint32 { return generation<<generationShift | bits }

// Generation returns the generation in a word.
func Generation(word uint32) uint32 { return word >> generationShift }

// State returns the state in a request word.
func State(word uint32) uint32 { return word & stateMask }

// Group returns the mask bit of the group that a slot belongs to.
func Group(slot int) uint64 { return 1 << (slot % Groups) }

// Done reports whether a reply word says that the reply of generation is complete.
func Done(word, generation uint32) bool {
	return word&FlagDone != 0 && Generation(word) == generation
}

// BellPolling returns the bell of a server that watches slot.
func BellPolling(slot int) uint32 { return bellPolling | uint32(slot) }

// BellSlot returns the slot that a bell says is watched, if it says so.
func BellSlot(bell uint32) (int, bool) { return int(bell &^ bellPolling), bell&bellPolling != 0 }

// Status says how a call ended.
type Status uint32

// The statuses. They are part of the protocol: never renumber.
const (
	StatusOK            Status = 0
	StatusHandlerError  Status = 1 // the reply is the error's text
	StatusUnknownMethod Status = 2
	StatusTooLarge      Status = 3 // the handler's reply exceeds the payload limit
	StatusCancelled     Status = 4 // the caller had given up before the handler began
	StatusDeadline      Status = 5 // the handler gave up because the deadline had passed
	StatusExhausted     Status = 6 // the reply arena stayed full
	StatusShutdown      Status = 7 // the server is shutting down and did not run the handler
	// StatusHandlerException is StatusHandlerError with more than a text: the reply is a MessagePack map, as docs/protocol.md has it.
	StatusHandlerException Status = 8
)
