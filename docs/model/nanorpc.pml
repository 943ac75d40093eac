/*
 * A model of the protocol of docs/protocol.md, sections 3 to 5, as go/internal/link and go/internal/endpoint implement it. See README.md.
 *
 * Every statement, or atomic block, is one step: one atomic operation on a word that is shared, or one system call, with whatever is local
 * to the thread. Steps of different processes follow one another in any order, and each sees all that went before: sequential consistency,
 * which Go's atomics have.
 *
 * The names are those of the code; what is called "ghost" is there for the assertions alone.
 */

/* Sizes. */
#ifndef CLIENTS
#define CLIENTS 1 /* connections, each with a segment of its own */
#endif
#ifndef CALLERS
#define CALLERS 2 /* threads of each client that call */
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef GROUPS
#define GROUPS SLOTS /* or 1: all slots in one group */
#endif
#ifndef CALLS
#define CALLS 2 /* of each caller */
#endif
#ifndef GENERATIONS
#define GENERATIONS 2 /* 2^24 in the code: here they wrap around as early as possible */
#endif

/* What may happen. */
#ifndef NOTICES
#define NOTICES 0 /* how many of the callers, the last ones, have their replies collected instead of waiting for them */
#endif
#ifndef CANCEL
#define CANCEL 0 /* callers may give up */
#endif
#ifndef PARK
#define PARK 0 /* the leader may park at once, for want of a permit */
#endif
#ifndef TIMEOUTS
#define TIMEOUTS 0 /* how often sleeping leaders may find that they have slept for long enough, and park */
#endif
#ifndef SPURIOUS
#define SPURIOUS 0 /* how often futex waits may return for no reason */
#endif
#ifndef RELIEFS
#define RELIEFS 0 /* how often callers may ask for relief */
#endif
#ifndef LEADER
#define LEADER 1 /* the leader may run handlers itself; else it only refuses calls that have been cancelled */
#endif
#ifndef WORKER
#define WORKER 1 /* calls may be answered by another thread than the leader, in any order and while new ones are taken */
#endif
#ifndef CRASH
#define CRASH 1 /* at any step, a process may die */
#endif
#ifndef CLOSE
#define CLOSE 3 /* at any step, an end may close the connection: 1 the server, 2 the client */
#endif

/* Words: generation, then flags or state. In the code the generation begins at bit 8. */
#define WORD(generation, bits) ((generation) << 5 | (bits))
#define GENERATION(word) ((word) >> 5)
#define STATE(word) ((word) & 3)
#define StateCall 1
#define StateCancelled 2
#define FlagDone 1
#define FlagWaiting 2
#define FlagClosed 8
#define FlagNotify 16
#ifdef M_GENERATION
#define Done(word, generation) ((word) & FlagDone)
#else
#define Done(word, generation) (((word) & FlagDone) && GENERATION(word) == (generation))
#endif

#define BellAwake 0
#define BellSleeping 1
#define BellClosed 2
#define BellParked 3
#define BellPolling(slot) (4 + (slot))

#define B(slot) (1 << (slot))
#define ALL ((1 << SLOTS) - 1)
#define Group(slot) (1 << ((slot) % GROUPS))
#if GROUPS == SLOTS
#define OF(groups) (groups)
#else
#define OF(groups) ((groups) -> ALL : 0)
#endif
#define I(slot) (c * SLOTS + (slot))
#define NONE SLOTS
#define LOWEST(set) (((set) & 1) -> 0 : (((set) & 2) -> 1 : 2))

#define N (CLIENTS * SLOTS)

/* The segments. Payloads are the number of their call. */
byte requestWord[N], requestPayload[N], replyWord[N], replyPayload[N];
byte ready[CLIENTS], bell[CLIENTS], noticesReady[CLIENTS], noticesBell[CLIENTS];

/* The kernel: who sleeps on which futex, and the sockets. A word has one sleeper at most: the slot's holder, the leader, the collector. */
bit asleepReply[N], asleepBell[CLIENTS], asleepNotices[CLIENTS];
bit ringing[CLIENTS];                                      /* a ring has been sent and not been read; more of them are dropped */
bit clientDead[CLIENTS], serverDead;                       /* crashed; the kernel has closed the socket */
bit clientHungUp[CLIENTS], serverHungUp[CLIENTS];          /* has closed the socket */

/* The clients' own memory. */
byte generation[N];
byte free[CLIENTS], abandoned[CLIENTS], expected[CLIENTS], told[CLIENTS];
byte sleepers[CLIENTS];
bit cause[CLIENTS], woken[CLIENTS], unmapped[CLIENTS], hold[CLIENTS];
byte finished[CLIENTS]; /* callers */
bit collected[CLIENTS]; /* the collector has seen the end */

/* The server's own memory. */
bit serverCause[CLIENTS], serverSleepers[CLIENTS], parked[CLIENTS], called[CLIENTS], leaderGone[CLIENTS];
byte workTag[N], workWord[N]; /* calls that have been handed over: 0 none */

/* How a process ends: all its threads do, in one step, as one passes the message on to the next. Their memory is gone: it is set to 0. */
#if NOTICES
#define CLIENT_THREADS (CALLERS + 2)
#else
#define CLIENT_THREADS (CALLERS + 1)
#endif
#define SERVER_THREADS (2 + WORKER)
chan killClient[CLIENTS * CLIENT_THREADS] = [0] of { bit };
chan killServer[CLIENTS * SERVER_THREADS] = [0] of { bit };
#define K(thread) (c * CLIENT_THREADS + (thread))
#define S(thread) (c * SERVER_THREADS + (thread))

/* What somebody wants to happen. */
bit wantClientClosed[CLIENTS], wantServerClosed;

/* Ghosts. */
byte published[N]; /* the call whose word is published */
bit open[N];       /* it has not been answered */
bit disaster;      /* a process has died, or a connection been closed with calls in flight */

byte spurious, timeouts, reliefs; /* what is left of them */

/* Every access of a client to its segment. */
#define mapped assert(!unmapped[c])

/* The futex system calls. Wait: asleep if the word has the value, in one step. Wakes one: there is only one. */
#define FUTEX_WAIT(word, value, asleep) atomic { mapped; if :: word == (value) -> asleep = 1 :: else fi }
#define FUTEX_WAKE(asleep) asleep = 0
#define MAY 1
#define PASSED 2 /* then who waits sleeps no more */
inline wokenUp(asleep, deadline) {
	atomic {
		if
		:: !asleep
		:: asleep && deadline == MAY -> deadline = PASSED; asleep = 0; printf("\t(the deadline has passed)\n")
#if SPURIOUS
		:: asleep && spurious -> spurious--; asleep = 0; printf("\t(spurious return)\n")
#endif
		fi
	}
}

/* --- The client ------------------------------------------------------------------------------------------------------------------------ */

/* Client.unmapWhenUnused: takeAllBut is one step, as it is under the lock and takes all bits at once. */
inline unmapWhenUnused() {
	atomic {
		if
		:: woken[c] && !hold[c] && !unmapped[c] && free[c] == (ALL & ~abandoned[c]) -> free[c] = 0; unmapped[c] = 1; printf("client %d: unmaps its segment\n", c)
		:: else
		fi
	}
}

/* Client.Ring */
#ifdef M_BELL_STORE
#define EXCHANGED true
#else
#define EXCHANGED (bell[c] == seen)
#endif
inline ring(slot) {
	atomic { mapped; ready[c] = ready[c] | Group(slot); printf("client %d caller %d: sets the bit of slot %d in ready\n", c, k, slot) }
	atomic {
		mapped;
		printf("client %d caller %d: loads the bell: %d\n", c, k, bell[c]);
		if
		:: bell[c] == BellSleeping || bell[c] == BellParked -> seen = bell[c]
		:: else
		fi
	}
	atomic {
		if
		:: seen && EXCHANGED -> mapped; bell[c] = BellAwake; printf("client %d caller %d: exchanges the bell for awake\n", c, k)
		:: else -> seen = 0 /* one waker is enough */
		fi
	}
	atomic {
		if
		:: seen == BellParked -> ringing[c] = 1; printf("client %d caller %d: rings over the socket\n", c, k)
		:: seen == BellSleeping -> FUTEX_WAKE(asleepBell[c]); printf("client %d caller %d: wakes the leader\n", c, k)
		:: else
		fi;
		seen = 0
	}
}

/* Collector.Forget */
inline forget(slot, was) {
	atomic { was = (expected[c] & B(slot) -> 1 : 0); expected[c] = expected[c] & ~B(slot) }
}

#define REAPABLE(slot) (!unmapped[c] && (abandoned[c] & B(slot)) && Done(replyWord[I(slot)], generation[I(slot)]))

proctype Caller(byte c; byte k) {
	byte slot, seen, n, impatient;
	bit notify, was;
	{
	n = 0;
again:
	/* Client.Acquire */
	atomic {
		if
		:: n == CALLS || unmapped[c] || cause[c] -> goto leave
		:: n < CALLS && free[c] != 0 -> slot = LOWEST(free[c]); free[c] = free[c] & ~B(slot); printf("client %d caller %d: takes slot %d\n", c, k, slot)
#if CANCEL
		/* Client.Reap, by who waits for a slot, once in a while. */
		:: n < CALLS && free[c] == 0 && REAPABLE(0) -> slot = 0; goto reap
#if SLOTS > 1
		:: n < CALLS && free[c] == 0 && REAPABLE(1) -> slot = 1; goto reap
#endif
#endif
		fi
	}
	atomic { if :: cause[c] -> goto release :: else fi }

	/* Client.prepare */
	atomic {
		mapped;
		n++;
		assert(!open[I(slot)]); /* a slot is not used for another call while one is open */
		requestPayload[I(slot)] = k * CALLS + n
	}
	/* Client.Submit */
	atomic {
		mapped;
#if NOTICES
		if
		:: k < CALLERS - NOTICES
		/* As package nanorpc: with the call. It is expected under a lock that the collector takes, until the call is published. */
		:: k >= CALLERS - NOTICES -> notify = 1; expected[c] = expected[c] | B(slot)
		/* As Python: later. */
		:: k >= CALLERS - NOTICES
		fi;
#endif
		generation[I(slot)] = (generation[I(slot)] + 1) % GENERATIONS;
		requestWord[I(slot)] = WORD(generation[I(slot)], StateCall | (notify -> FlagNotify : 0));
		published[I(slot)] = requestPayload[I(slot)]; open[I(slot)] = 1;
		printf("client %d caller %d: publishes call %d in slot %d, generation %d\n", c, k, k * CALLS + n, slot, generation[I(slot)]);
#if CANCEL
		if
		:: impatient = 0
		:: impatient = MAY
		fi
#endif
	}
	atomic {
		mapped;
		if
		:: bell[c] == BellPolling(slot) -> printf("client %d caller %d: finds slot %d polled\n", c, k, slot); goto submitted
		:: else
		fi
	}
	ring(slot);
submitted:
#if NOTICES
	if
	:: k >= CALLERS - NOTICES ->
		if
		:: notify
		:: else -> /* Collector.Expect */
			expected[c] = expected[c] | B(slot);
			/* Client.AskForNotice */
			do
			:: atomic { mapped; seen = replyWord[I(slot)] }
#ifdef M_ASK
				atomic { replyWord[I(slot)] = replyWord[I(slot)] | FlagNotify; break }
#else
				if
				:: Done(seen, generation[I(slot)]) ->
					forget(slot, was);
					if
					:: was -> goto reply
					:: else -> break /* it has been told of */
					fi
				:: else
				fi;
				if
				:: atomic { replyWord[I(slot)] == seen -> mapped; replyWord[I(slot)] = seen | FlagNotify; printf("client %d caller %d: asks for notice\n", c, k); break }
				:: atomic { replyWord[I(slot)] != seen }
				fi
#endif
			od
		fi;
		if
		:: cause[c] -> /* who has not seen the call in the collector's last look sees the end here */
			forget(slot, was);
			if
			:: was -> goto lost
			:: else
			fi
		:: else
		fi;
		if
		:: atomic { told[c] & B(slot) -> told[c] = told[c] & ~B(slot) }
			if
			:: atomic { collected[c] -> goto lost }
			:: atomic { else -> goto reply }
			fi
		:: atomic { collected[c] && !(expected[c] & B(slot)) && !(told[c] & B(slot)) -> goto lost }
#if CANCEL
		:: impatient ->
			forget(slot, was);
			if
			:: was -> goto giveUp
			:: else -> atomic { told[c] & B(slot) -> told[c] = told[c] & ~B(slot); goto leaveCollected }
			fi
#endif
		fi
	:: else
	fi;
#endif

	/* Client.Await */
await:
	atomic { mapped; seen = replyWord[I(slot)]; printf("client %d caller %d: loads the reply word of slot %d: generation %d, flags %d\n", c, k, slot, GENERATION(seen), seen & 31);
		if
		:: Done(seen, generation[I(slot)]) -> seen = 0; goto reply
		:: else
		fi }
	atomic { if :: cause[c] -> seen = 0; goto lost :: else fi }
	atomic {
		if
		:: replyWord[I(slot)] != seen -> mapped; seen = 0; goto await /* Spin has caught something */
#if CANCEL
		:: impatient -> seen = 0; goto giveUp
#endif
		:: impatient != PASSED -> sleepers[c]++ /* Client.sleepOn */
		fi
	}
	atomic { if :: cause[c] -> goto slept :: else fi }
#ifdef M_CLIENT_LOOK
	atomic { mapped; replyWord[I(slot)] = replyWord[I(slot)] | FlagWaiting; seen = replyWord[I(slot)] }
#else
	atomic {
		mapped;
		if
		:: replyWord[I(slot)] == seen -> seen = seen | FlagWaiting; replyWord[I(slot)] = seen; printf("client %d caller %d: says that it sleeps\n", c, k)
		:: else -> goto slept
		fi
	}
#endif
	FUTEX_WAIT(replyWord[I(slot)], seen, asleepReply[I(slot)]);
	wokenUp(asleepReply[I(slot)], impatient);
slept:
#if RELIEFS
	/* Client.askForRelief */
	if
	:: atomic { reliefs && (bell[c] == BellAwake || bell[c] >= BellPolling(0)) -> reliefs--; mapped; ringing[c] = 1; printf("client %d caller %d: asks for relief\n", c, k) }
	:: true
	fi;
#endif
	atomic { sleepers[c]--; seen = 0; goto await }

reply:
	atomic {
		mapped;
		assert(replyPayload[I(slot)] == k * CALLS + n); /* the reply is to this call */
		replyPayload[I(slot)] = 0; requestPayload[I(slot)] = 0; published[I(slot)] = 0; /* nobody needs them any more; fewer states */
		printf("client %d caller %d: reads the reply to call %d\n", c, k, k * CALLS + n)
	}
	goto release;
lost:
	assert(disaster); /* nobody loses a call for nothing */
	goto release;

#if CANCEL
reap:
	atomic { /* nothing of it changes in between: it has a lock */
		if
		:: REAPABLE(slot) -> abandoned[c] = abandoned[c] & ~B(slot); free[c] = free[c] | B(slot); printf("client %d caller %d: reaps slot %d\n", c, k, slot)
		:: else
		fi;
		slot = 0; goto again
	}
leaveCollected: /* told of while it gave up: the reply is dropped */
	goto release;
giveUp:
	/* Client.giveUp, Client.Abandon */
	atomic { if :: cause[c] -> goto release :: else fi }
	atomic { mapped; requestWord[I(slot)] = WORD(generation[I(slot)], StateCancelled); printf("client %d caller %d: gives up call %d in slot %d\n", c, k, k * CALLS + n, slot) }
	atomic { mapped; if :: Done(replyWord[I(slot)], generation[I(slot)]) -> goto release :: else fi }
#ifndef M_UNMAP
	ring(slot);
#endif
#ifdef M_REUSE
	free[c] = free[c] | B(slot);
#else
	abandoned[c] = abandoned[c] | B(slot);
#endif
#ifdef M_UNMAP
	ring(slot);
#endif
	goto put;
#endif

release: /* Client.Release */
	free[c] = free[c] | B(slot);
put:
	atomic {
		if
		:: cause[c] -> unmapWhenUnused()
		:: else
		fi;
		slot = 0; seen = 0; impatient = 0; notify = 0; was = 0; goto again
	}
leave:
	atomic { finished[c]++; slot = 0; n = 0; printf("client %d caller %d: done\n", c, k) }
end:	false
	} unless { atomic { killClient[K(k)]?_; slot = 0; seen = 0; n = 0; impatient = 0; notify = 0; was = 0; killClient[K(k + 1)]!0 } };
endDead: false
}

/* endpoint.Client: who waits for the socket's end, and Close. */
proctype ClientWatcher(byte c) {
	byte s;
	{
	atomic {
		serverDead || serverHungUp[c] || wantClientClosed[c] || finished[c] == CALLERS;
		/* Client.Close. It repeats what follows until all have left, against a peer that undoes it; with one that does not, once must be enough. */
		cause[c] = 1
	}
	do
	:: atomic { s < SLOTS ->
#ifndef M_CLOSE_WORDS
		replyWord[I(s)] = replyWord[I(s)] | FlagClosed;
#endif
		FUTEX_WAKE(asleepReply[I(s)]);
		s++ }
	:: atomic { s == SLOTS -> s = 0;
#if NOTICES
#ifndef M_CLOSE_NOTICES
		noticesBell[c] = BellClosed;
#endif
		FUTEX_WAKE(asleepNotices[c]);
#endif
		break }
	od;
	atomic { sleepers[c] == 0; woken[c] = 1; unmapWhenUnused(); clientHungUp[c] = 1 }
	/* Everybody leaves, and then the segment is unmapped. */
	finished[c] == CALLERS && !hold[c] && unmapped[c];
end:	false
	} unless { atomic { killClient[K(CALLERS)]?_; s = 0;
#if NOTICES
		killClient[K(CALLERS + 1)]!0
#endif
	} };
endDead: false
}

#if NOTICES
/* Notices.Wait, and Collector with who calls its Take. */
proctype Notices(byte c) {
	byte s, groups, nodeadline;
	{
	s = 0;
wait:
	if
	:: atomic { noticesReady[c] != 0 -> mapped; groups = OF(noticesReady[c]); noticesReady[c] = 0 }
		do
		:: atomic { groups != 0 -> s = LOWEST(groups); groups = groups & ~B(s);
			if
			:: (expected[c] & B(s)) && Done(replyWord[I(s)], generation[I(s)]) ->
				mapped; expected[c] = expected[c] & ~B(s); told[c] = told[c] | B(s); printf("client %d collector: tells of slot %d\n", c, s)
			:: else
			fi }
		:: atomic { groups == 0 -> s = 0; break }
		od;
		goto wait
	:: else
	fi;
	if
	:: cause[c] -> goto over
	:: else
	fi;
	if
	:: atomic { noticesReady[c] != 0 || noticesBell[c] != BellAwake -> mapped; goto wait } /* Spin has caught something */
	:: true
	fi;
	/* Notices.sleep */
	sleepers[c]++;
	atomic { mapped; noticesBell[c] = BellSleeping; printf("client %d collector: says that it sleeps\n", c) }
	if
#ifdef M_NOTICES_LOOK
	:: true
#else
	:: atomic { noticesReady[c] == 0 -> mapped }
#endif
		if
		:: !cause[c] ->
			FUTEX_WAIT(noticesBell[c], BellSleeping, asleepNotices[c]);
			wokenUp(asleepNotices[c], nodeadline)
		:: else
		fi
#ifndef M_NOTICES_LOOK
	:: atomic { noticesReady[c] != 0 }
#endif
	fi;
	atomic { mapped; noticesBell[c] = BellAwake }
	sleepers[c]--;
	goto wait;
over:
	atomic { collected[c] = 1; told[c] = told[c] | expected[c]; expected[c] = 0 } /* who was expected is told that it is lost */
	hold[c] = 0;
	unmapWhenUnused();
end:	false
	} unless { atomic { killClient[K(CALLERS + 1)]?_; s = 0; groups = 0 } };
endDead: false
}
#endif

/* --- The server ------------------------------------------------------------------------------------------------------------------------ */

/* Server.Publish and Server.notify. word is the request word as it was taken. */
inline publish(slot, word, tag, before) {
	atomic { if :: serverCause[c] -> goto answered /* nobody reads it */ :: else fi }
	replyPayload[I(slot)] = tag;
#ifdef M_WAKE_LOAD
	before = replyWord[I(slot)];
#endif
	atomic {
#ifndef M_WAKE_LOAD
		before = replyWord[I(slot)];
#endif
		replyWord[I(slot)] = WORD(GENERATION(word), FlagDone);
		assert(open[I(slot)]); /* a call is answered once */
		open[I(slot)] = 0;
		printf("server, connection %d: answers call %d in slot %d, generation %d; flags were %d\n", c, tag, slot, GENERATION(word), before & 31)
	}
	atomic {
		if
		:: before & FlagWaiting -> FUTEX_WAKE(asleepReply[I(slot)]); printf("server, connection %d: wakes the caller of slot %d\n", c, slot)
		:: else
		fi;
#if NOTICES
		if
		:: (word | before) & FlagNotify -> before = 0
		:: else -> before = 0; goto answered
		fi
	}
	atomic { noticesReady[c] = noticesReady[c] | Group(slot); printf("server, connection %d: gives notice of slot %d\n", c, slot) }
	atomic { if :: noticesBell[c] != BellSleeping -> goto answered :: else fi }
	atomic {
		if
		:: noticesBell[c] == BellSleeping -> noticesBell[c] = BellAwake
		:: else -> goto answered
		fi
	}
	atomic { FUTEX_WAKE(asleepNotices[c]); printf("server, connection %d: wakes the collector\n", c) }
#else
		before = 0
	}
#endif
}

#ifdef M_FRESH
#define fresh(slot, word) (STATE(word) == StateCall || STATE(word) == StateCancelled)
#else
#define fresh(slot, word) (GENERATION(word) != taken[slot] && (STATE(word) == StateCall || STATE(word) == StateCancelled))
#endif

/* Server.setBell. A client that saw the old bell may rely on the slot polled then. */
inline setBell(value) {
	atomic {
		bell[c] = value;
#ifndef M_POLLED
		if
		:: mybell >= BellPolling(0) -> pending = pending | B(mybell - BellPolling(0))
		:: else
		fi;
#endif
		mybell = value;
		printf("server, connection %d: stores the bell: %d\n", c, value)
	}
}

/* Server.idle; where it is not, the leader goes on. */
inline idle() {
	atomic { word = requestWord[I(watched)];
		if
		:: fresh(watched, word) -> word = 0; goto awake
		:: else -> word = 0
		fi }
	atomic { if :: ready[c] != 0 -> goto awake :: else fi }
}

/* conn.lead, Server.Next. There is one leader at a time, and what is its own passes on to the next: it is one process here. */
proctype Leader(byte c) {
	byte taken[SLOTS];
	byte pending, watched, mybell, first, next, slot, word, tag, before;
	{
	first = NONE;
poll:
	/* Server.poll: first the groups whose bits were set, */
	atomic {
		if
		:: pending != 0 -> slot = LOWEST(pending); pending = pending & ~B(slot); word = requestWord[I(slot)];
			if
			:: fresh(slot, word) -> goto take
			:: else -> slot = 0; word = 0; goto poll
			fi
		:: pending == 0 && ready[c] != 0 -> pending = OF(ready[c]); ready[c] = 0; printf("server, connection %d: takes ready\n", c); goto poll
		:: else
		fi
	}
	/* then the slot after the last one, */
#if SLOTS > 1
	atomic {
		if
		:: first != NONE && next < SLOTS && fresh(next, requestWord[I(next)]) -> word = requestWord[I(next)]; slot = next; goto take
		:: else
		fi
	}
#endif
	/* then the one watched. */
	atomic { word = requestWord[I(watched)];
		if
		:: fresh(watched, word) -> slot = watched; goto take
		:: else -> word = 0
		fi }
	/* Server.Next */
	atomic { if :: serverCause[c] -> goto over :: else fi }
	/* Server.watch */
	atomic {
		if
		:: first != NONE -> watched = first; first = NONE; next = 0
		:: else
		fi;
		if
		:: mybell != BellPolling(watched) -> setBell(BellPolling(watched)); goto poll
		:: else
		fi;
	}
	atomic {
		if
		:: fresh(watched, requestWord[I(watched)]) || ready[c] != 0 -> goto poll /* Spin has caught something */
		/* It has not, or has not looked: so it may as well have been the loads before it that have not. */
#if PARK
		:: true -> goto park
#endif
		:: true -> serverSleepers[c] = 1; setBell(BellSleeping) /* Server.sleep */
		fi
	}
sleep:
#ifndef M_SERVER_LOOK
	idle();
#endif
	atomic { if :: serverCause[c] -> goto awake :: else fi }
	atomic {
		if
		:: bell[c] == BellSleeping -> asleepBell[c] = 1; printf("server, connection %d: sleeps\n", c)
		:: else -> goto awake
		fi
	}
	atomic {
		if
		:: !asleepBell[c]
#if SPURIOUS
		:: asleepBell[c] && spurious -> spurious--; asleepBell[c] = 0; printf("\t(spurious return)\n")
#endif
#if TIMEOUTS
		:: asleepBell[c] && timeouts -> timeouts--; asleepBell[c] = 0; printf("server, connection %d: has slept for long enough\n", c); goto timedOut
#endif
		fi
	}
	atomic { if :: bell[c] != BellSleeping -> goto awake :: else -> goto sleep fi }
#if TIMEOUTS
timedOut:
	atomic { if :: bell[c] != BellSleeping -> goto awake :: else -> goto park fi }
#endif

#if PARK || TIMEOUTS
	/* Server.park */
park:
	atomic { setBell(BellParked) }
#ifndef M_PARK_LOOK
	idle();
#endif
	atomic { if :: serverCause[c] -> goto awake :: else fi }
	/* conn.park, under the lock */
	atomic {
		serverSleepers[c] = 0;
#ifndef M_CALLED
		if
		:: called[c] -> called[c] = 0; goto poll
		:: else
		fi;
#endif
		called[c] = 0; parked[c] = 1; printf("server, connection %d: is parked, without a leader\n", c)
	}
	if
	:: atomic { parked[c] == 0 && !serverCause[c] -> goto poll } /* conn.unpark: there is a leader again */
	:: atomic { serverCause[c] -> goto over }
	fi;
#endif

awake:
	atomic { setBell(BellAwake); serverSleepers[c] = 0; goto poll }

take:
	/* Server.take */
	atomic {
		assert(GENERATION(requestWord[I(slot)]) == GENERATION(word) && requestPayload[I(slot)] == published[I(slot)]); /* nobody writes a request that is read */
		tag = requestPayload[I(slot)];
		taken[slot] = GENERATION(word);
		next = slot + 1;
		if
		:: first == NONE -> first = slot
		:: else
		fi;
		printf("server, connection %d: takes call %d from slot %d, generation %d\n", c, tag, slot, GENERATION(word))
	}
	atomic {
		if
		:: LEADER || STATE(word) == StateCancelled /* the leader runs the handler, or refuses the call */
#if WORKER
		:: STATE(word) == StateCall -> /* leader.handOver, or Detach */
			assert(workTag[I(slot)] == 0); workTag[I(slot)] = tag; workWord[I(slot)] = word; slot = 0; word = 0; tag = 0; goto poll
#endif
		fi
	}
	publish(slot, word, tag, before);
answered:
	atomic { slot = 0; word = 0; tag = 0; goto poll }

over:
	leaderGone[c] = 1;
end:	false
	} unless { atomic { killServer[S(1)]?_;
		slot = 0;
		do
		:: slot < SLOTS -> taken[slot] = 0; slot++
		:: else -> break
		od;
		pending = 0; watched = 0; mybell = 0; first = 0; next = 0; slot = 0; word = 0; tag = 0; before = 0;
#if WORKER
		killServer[S(2)]!0
#else
		if
		:: c + 1 < CLIENTS -> killServer[S(0) + SERVER_THREADS]!0
		:: else
		fi
#endif
	} };
endDead: false
}

#if WORKER
/* Whoever else answers calls. */
proctype Worker(byte c) {
	byte slot, word, tag, before;
	{
	slot = 0;
next:
	atomic {
		if
		:: workTag[I(0)] -> slot = 0
#if SLOTS > 1
		:: workTag[I(1)] -> slot = 1
#endif
		:: leaderGone[c] && workTag[I(0)] == 0 && workTag[I(SLOTS - 1)] == 0 -> goto end
		fi;
		tag = workTag[I(slot)]; word = workWord[I(slot)]; workTag[I(slot)] = 0; workWord[I(slot)] = 0
	}
	publish(slot, word, tag, before);
answered:
	atomic { slot = 0; word = 0; tag = 0; goto next }
end:	false
	} unless { atomic { killServer[S(2)]?_; slot = 0; word = 0; tag = 0; before = 0;
		if
		:: c + 1 < CLIENTS -> killServer[S(0) + SERVER_THREADS]!0
		:: else
		fi
	} };
endDead: false
}
#endif

/* Conn.WaitEnd with conn.rung, and conn.close. */
proctype ServerWatcher(byte c) {
	{
	do
	:: atomic { ringing[c] -> ringing[c] = 0; printf("server, connection %d: reads a ring\n", c) }
		/* conn.unpark, under the lock */
		atomic {
			if
			:: parked[c] && !serverCause[c] -> parked[c] = 0; printf("server, connection %d: starts a leader\n", c)
			:: else -> called[c] = 1
			fi
		}
	:: atomic { wantServerClosed || (!ringing[c] && (clientDead[c] || clientHungUp[c])) -> serverCause[c] = 1; break }
	od;
	/* Server.Close; as for Client.Close, once must be enough. */
	atomic {
#ifndef M_CLOSE_BELL
		bell[c] = BellClosed;
#endif
		FUTEX_WAKE(asleepBell[c])
	}
	atomic { serverSleepers[c] == 0; serverHungUp[c] = 1; parked[c] = 0 }
end:	false
	} unless { atomic { killServer[S(0)]?_; killServer[S(1)]!0 } };
endDead: false
}

/* --- What may happen ------------------------------------------------------------------------------------------------------------------- */

#if CRASH || CLOSE
proctype Disaster() {
	byte c, s;
	if
	:: true
#if CRASH
	:: atomic { disaster = 1; serverDead = 1; printf("THE SERVER DIES\n");
		do
		:: c < CLIENTS ->
			serverCause[c] = 0; serverSleepers[c] = 0; parked[c] = 0; called[c] = 0; leaderGone[c] = 0; asleepBell[c] = 0; ringing[c] = 0;
			c++
		:: else -> break
		od;
		do
		:: s < N -> workTag[s] = 0; workWord[s] = 0; s++
		:: else -> break
		od;
		c = 0; s = 0;
		killServer[0]!0 }
	:: atomic { disaster = 1; clientDead[0] = 1; printf("CLIENT 0 DIES\n");
		free[0] = 0; abandoned[0] = 0; expected[0] = 0; told[0] = 0; sleepers[0] = 0; cause[0] = 0; woken[0] = 0; hold[0] = 0; finished[0] = 0;
		collected[0] = 0; asleepNotices[0] = 0;
		do
		:: s < SLOTS -> generation[s] = 0; asleepReply[s] = 0; s++
		:: else -> break
		od;
		s = 0;
		killClient[0]!0 }
#endif
#if CLOSE & 1
	:: atomic { disaster = 1; wantServerClosed = 1; printf("THE SERVER CLOSES ITS CONNECTIONS\n") }
#endif
#if CLOSE & 2
	:: atomic { disaster = 1; wantClientClosed[0] = 1; printf("CLIENT 0 CLOSES ITS CONNECTION\n") }
#endif
	fi
}
#endif

init {
	byte c, k;
	atomic {
		/* How much of it happens is chosen first: so that nobody who sleeps can hope for a spurious return. */
#if SPURIOUS
		if :: spurious = 0 :: spurious = SPURIOUS fi;
#endif
#if TIMEOUTS
		if :: timeouts = 0 :: timeouts = TIMEOUTS fi;
#endif
#if RELIEFS
		reliefs = RELIEFS;
#endif
		do
		:: c < CLIENTS ->
			free[c] = ALL;
			run Leader(c);
#if WORKER
			run Worker(c);
#endif
			run ServerWatcher(c);
			run ClientWatcher(c);
#if NOTICES
			hold[c] = 1;
			run Notices(c);
#endif
			k = 0;
			do
			:: k < CALLERS -> run Caller(c, k); k++
			:: else -> break
			od;
			c++
		:: else -> break
		od;
#if CRASH || CLOSE
		run Disaster();
#endif
		c = 0; k = 0
	}
}
